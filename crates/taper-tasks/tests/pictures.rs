//! The pictures that TensorBoard is shown before the first step.

mod common;

use common::{classifier, config, few};
use taper_data::augment::{Fill, Normalize, Rotate, Translate};
use taper_data::{Augment, Augmented};
use taper_nn::DType;
use taper_train::{Fit, RunFolder, Silent};

/// The event of the pictures, without its time.
fn pictures(list: &[Augment]) -> Vec<u8> {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path().join("run")).unwrap();
    let normalize = list.iter().find_map(|augment| match augment {
        Augment::Normalize(normalize) => Some(normalize.clone()),
        _ => None,
    });
    let (task, params) = classifier(DType::F32, 0);
    let (task, config) = (task.normalized(normalize), config(&["train.epochs=1"]));
    let train = Augmented::new(few()[0].clone(), list.to_vec(), config.train.seed).unwrap();
    Fit::new(&config, &task, &params, &train).folder(&folder).run(&mut Silent).unwrap();
    let bytes = std::fs::read(folder.events().join("events.out.tfevents.taper")).unwrap();
    let (mut rest, tag) = (bytes.as_slice(), b"pictures/train");
    while !rest.is_empty() {
        // Length (8 bytes), its checksum (4), the event, its checksum (4); the event begins with its time (9).
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        let event = &rest[12 + 9..12 + length];
        if event.windows(tag.len()).any(|part| part == tag) {
            return event.to_vec();
        }
        rest = &rest[12 + length + 4..];
    }
    panic!("no pictures");
}

/// They are drawn as the step gets them: each augmentation by its place in the list, normalisation having one, and being
/// undone where they are shown.
#[test]
fn pictures_are_those_of_the_first_step() {
    // Sixteenths come through these without rounding.
    let normalize: Augment = Normalize { mean: vec![0.5], std: vec![0.25] }.into();
    let nothing: Augment = Rotate { degrees: 0.0 }.into();
    let shift: Augment = Translate { pixels: 2, fill: Fill::Reflect }.into();
    let shown = pictures(&[normalize.clone(), shift.clone()]);
    assert!(shown == pictures(&[nothing.clone(), shift.clone()]));
    assert!(shown != pictures(&[shift]), "its place does not matter");
    assert!(pictures(&[normalize]) == pictures(&[nothing]));
}
