//! Tests of locating a dataset through the public interface, without a network.

use std::fs;
use std::path::Path;
use taper_data::{LocateOptions, Located, Origin, Result, Source};

/// A folder like CIFAR-10's, but with empty files: enough to be found, not to be read.
fn fake(dir: &Path) {
    let folder = dir.join("cifar-10-batches-bin");
    fs::create_dir_all(&folder).unwrap();
    for name in ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"] {
        fs::write(folder.join(name).with_extension("bin"), b"").unwrap();
    }
}

fn locate(options: &LocateOptions) -> Result<Located> {
    Source::named("cifar")?.locate(options, &mut |event| panic!("the network was touched: {event:?}"))
}

#[test]
fn places_are_tried_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let [given, env, downloads] = ["given", "env", "downloads"].map(|name| dir.path().join(name));
    let mut options =
        LocateOptions { data_dir: None, env: Some(env.clone()), downloads: downloads.clone(), offline: true };

    let located = locate(&options).unwrap();
    assert_eq!((located.origin(), located.path()), (Origin::StandIn, None));

    fake(&downloads);
    let located = locate(&options).unwrap();
    assert_eq!(located.origin(), Origin::Downloads);
    assert_eq!(located.path(), Some(downloads.join("cifar-10-batches-bin").as_path()));

    fake(&env);
    assert_eq!(locate(&options).unwrap().origin(), Origin::Env);

    fake(&given);
    options.data_dir = Some(given.clone());
    let located = locate(&options).unwrap();
    assert_eq!(located.origin(), Origin::DataDir);
    assert_eq!(located.description(), "CIFAR-10");
    // The folder with the files may be given itself.
    options.data_dir = Some(given.join("cifar-10-batches-bin"));
    assert_eq!(locate(&options).unwrap().path(), located.path());

    let text = located.load().unwrap_err().to_string();
    assert!(text.contains("data_batch_1.bin: truncated: expected 30730000 bytes, found 0"), "{text}");
}

#[test]
fn a_given_folder_without_data_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let downloads = dir.path().join("downloads");
    fake(&downloads);
    for data_dir in [dir.path().to_path_buf(), dir.path().join("none")] {
        let options = LocateOptions { data_dir: Some(data_dir.clone()), downloads: downloads.clone(), ..options() };
        let text = locate(&options).unwrap_err().to_string();
        assert!(text.starts_with(&format!("{}: no CIFAR-10 here; expected ", data_dir.display())), "{text}");
        assert!(text.contains("cifar-10-batches-bin/ or its files, data_batch_1.bin, "), "{text}");
    }
}

#[test]
fn the_stand_in_says_what_it_is_and_why() {
    let dir = tempfile::tempdir().unwrap();
    let env = dir.path().join("env");
    let options = LocateOptions { env: Some(env.clone()), downloads: dir.path().join("downloads"), ..options() };
    let located = locate(&options).unwrap();
    assert!(located.is_stand_in());
    assert_eq!(located.description(), "generated stand-in, not CIFAR-10");
    let notice = located.notice();
    assert!(notice.contains(&format!("not in $TAPER_DATA {}", env.display())), "{notice}");
    assert!(notice.contains("the network was not asked (offline)"), "{notice}");
    assert!(notice.ends_with("pictures of the same format, NOT CIFAR-10."), "{notice}");
    let splits = located.load_first(20, 10).unwrap();
    assert_eq!((splits.train.len(), splits.test.len(), splits.train.shape()), (20, 10, [3, 32, 32]));
    assert!(!splits.train.classes().contains(&"airplane".to_string()));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn digits_are_always_there() {
    let located = Source::named("digits").unwrap().locate(&options(), &mut |_| {}).unwrap();
    assert_eq!(located.origin(), Origin::Embedded);
    assert_eq!(located.notice(), "Optical recognition of handwritten digits (its test part), part of the program");
    assert!(located.citation().contains("Alpaydin") && located.citation().contains("CC BY 4.0"));
    assert_eq!(located.load().unwrap(), taper_data::digits().unwrap());
    assert_eq!(located.load_first(5, 2).unwrap().train.len(), 5);
}

#[test]
fn a_folder_for_embedded_data_is_refused_rather_than_ignored() {
    let options = LocateOptions { data_dir: Some("own".into()), ..options() };
    let text = Source::named("digits").unwrap().locate(&options, &mut |_| {}).unwrap_err().to_string();
    assert!(text.starts_with("own: Optical recognition of handwritten digits (its test part) is part of"), "{text}");
    assert!(text.contains("not read from a folder; leave the folder out"), "{text}");
}

#[test]
fn an_unknown_name_is_answered_with_the_known() {
    let text = Source::named("cifra").unwrap_err().to_string();
    assert_eq!(
        text,
        "unknown dataset `cifra`; known: cifar10, cifar100, cifar100-coarse, digits, fashion-mnist, mnist"
    );
}

#[test]
fn files_named_alike_are_told_apart_by_their_folder() {
    let dir = tempfile::tempdir().unwrap();
    let inside = dir.path().join("fashion-mnist");
    fs::create_dir(&inside).unwrap();
    fs::write(inside.join("t10k-labels-idx1-ubyte.gz"), b"").unwrap();
    let locate = |name: &str, options: &LocateOptions| Source::named(name)?.locate(options, &mut |_| {});
    let in_env = |env: &Path| LocateOptions { env: Some(env.into()), ..options() };
    assert_eq!(locate("fashion-mnist", &in_env(dir.path())).unwrap().path(), Some(inside.as_path()));
    assert!(locate("mnist", &in_env(dir.path())).unwrap_err().to_string().starts_with("MNIST was not found: "));
    // Bare files are those of either: a variable that is always set does not say which, a folder given for the run
    // does.
    assert!(locate("fashion-mnist", &in_env(&inside)).is_err());
    let given = LocateOptions { data_dir: Some(inside.clone()), ..options() };
    assert_eq!(locate("fashion", &given).unwrap().path(), Some(inside.as_path()));
}

#[test]
fn the_coarse_and_the_fine_labels_are_of_the_same_files() {
    let [fine, coarse] = ["cifar100", "cifar100-coarse"].map(|name| Source::named(name).unwrap().manifest().unwrap());
    assert_eq!((fine.files, fine.archive, fine.shape), (coarse.files, coarse.archive, coarse.shape));
    assert_eq!((fine.classes.len(), coarse.classes.len()), (100, 20));
    assert_eq!((fine.records.label, coarse.records.label), (1, 0));
}

fn options() -> LocateOptions {
    LocateOptions { offline: true, ..LocateOptions::default() }
}
