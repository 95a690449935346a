//! The pictures that TensorBoard is shown before the first step.

mod common;

use common::{Data, Net, config, events};
use taper_nn::DType;
use taper_train::RunFolder;

fn pictures(augment: &str) -> Vec<u8> {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path().join("run")).unwrap();
    let settings = config(&["train.epochs=1", &format!("data.augment=[{augment}]")]);
    Net::plain(DType::F32, 0).fit(&settings, &Data::few(), Some((&folder, false)), None, Vec::new()).unwrap();
    let tag = b"pictures/train";
    let events = events(folder.path());
    events.into_iter().find(|event| event.windows(tag.len()).any(|part| part == tag)).unwrap()
}

/// They are drawn as the step draws them: each augmentation by its place in the list, normalisation having one.
#[test]
fn pictures_are_those_of_the_first_step() {
    let (normalize, nothing) = ("{kind=\"normalize\", mean=[0.3], std=[0.4]}", "{kind=\"rotate\", degrees=0.0}");
    let shift = "{kind=\"translate\", pixels=2, fill=\"zero\"}";
    let shown = pictures(&format!("{normalize}, {shift}"));
    assert!(shown == pictures(&format!("{nothing}, {shift}")));
    assert!(shown != pictures(shift), "its place does not matter");
    assert!(pictures(normalize) == pictures(nothing));
}
