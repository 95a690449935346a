//! Pictures of Pillow in folders.
#![cfg(feature = "images")]

mod common;

use common::{changed, data, expected};
use proptest::prelude::*;
use serde_json::Value;
use std::fs;
use std::path::Path;
use taper_data::{FolderOptions, ImageDataset, read_image_folder, read_image_folders};

/// The pictures in the order they are read, and the most that a value may be off: what Pillow's decoders and scaling
/// round otherwise.
const TRAIN: [(&str, u8); 5] = [
    ("train/cat/a.png", 0),
    ("train/cat/b.png", 0),
    ("train/cat/c.png", 0),
    ("train/dog/a.jpg", 2),
    ("train/dog/palette.png", 0),
];
const TEST: [(&str, u8); 3] = [("test/cat/a.webp", 0), ("test/dog/a.webp", 2), ("test/dog/grey.jpeg", 2)];

fn check(found: &ImageDataset, names: &[(&str, u8)], key: &str, more: u8) {
    let expected = expected();
    assert_eq!(found.len(), names.len());
    for (i, (name, most)) in names.iter().enumerate() {
        let bytes = |value: &Value| value.as_u64().unwrap() as u8;
        let peer: Vec<u8> = expected["pictures"][name][key].as_array().unwrap().iter().map(bytes).collect();
        let picture = found.image(i).unwrap();
        assert_eq!(picture.len(), peer.len());
        let worst = picture.iter().zip(&peer).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(worst <= most + more, "{name}, {key}: off by {worst}");
    }
}

#[test]
fn pictures_of_pillow_are_read_as_pillow_does() {
    for (channels, key) in [(3, "rgb"), (1, "grey")] {
        let options = FolderOptions { channels, size: None };
        let splits = read_image_folders(data("pictures"), options).unwrap();
        assert_eq!((splits.train.shape(), splits.test.shape()), ([channels, 9, 12], [channels, 9, 12]));
        assert_eq!((splits.train.labels(), splits.test.labels()), (&[0, 0, 0, 1, 1][..], &[0, 1, 1][..]));
        assert_eq!(splits.test.classes(), ["cat", "dog"]);
        check(&splits.train, &TRAIN, key, 0);
        check(&splits.test, &TEST, key, 0);
    }
}

#[test]
fn pictures_are_scaled_as_pillow_scales() {
    let options = FolderOptions { channels: 3, size: Some([5, 7]) };
    let splits = read_image_folders(data("pictures"), options).unwrap();
    assert_eq!(splits.train.shape(), [3, 5, 7]);
    check(&splits.train, &TRAIN, "scaled", 1);
    check(&splits.test, &TEST, "scaled", 1);
}

#[test]
fn what_is_wrong_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let any = FolderOptions::default();
    let read = |options| read_image_folder(dir.path(), options).unwrap_err().to_string();
    let ends = |text: String, end: &str| assert!(text.ends_with(end), "{text}");
    ends(read(any), ": classes: expected 1 to 256 folders, one a class, found 0");
    let cat = dir.path().join("cat");
    fs::create_dir(&cat).unwrap();
    ends(read(any), "cat: class: expected a picture or more, found none");
    fs::write(cat.join(".hidden"), b"").unwrap();
    fs::write(cat.join("a.png"), b"GIF89a").unwrap();
    ends(read(any), "a.png: picture: expected PNG, JPEG or WebP, found Gif");
    fs::write(cat.join("a.png"), b"text").unwrap();
    ends(read(any), "a.png: picture: expected PNG, JPEG or WebP, found something else");
    let whole = fs::read(data("pictures/train/cat/a.png")).unwrap();
    fs::write(cat.join("a.png"), &whole[..100]).unwrap();
    assert!(read(any).contains("a.png: picture: damaged: "), "{}", read(any));
    fs::write(cat.join("a.png"), &whole).unwrap();
    assert_eq!(read_image_folder(dir.path(), any).unwrap().len(), 1);

    ends(read(FolderOptions { channels: 2, size: None }), "found 2 channels, size None");
    ends(read(FolderOptions { channels: 1, size: Some([0, 4]) }), "found 1 channels, size Some([0, 4])");
    fs::write(dir.path().join("notes.txt"), b"").unwrap();
    ends(read(any), "notes.txt: folder: expected one folder a class here, found a file");
    fs::remove_file(dir.path().join("notes.txt")).unwrap();
    fs::create_dir(cat.join("more")).unwrap();
    ends(read(any), "more: folder: expected pictures here, found a folder");
}

#[test]
fn splits_must_fit_together() {
    let dir = tempfile::tempdir().unwrap();
    let put = |from: &str, to: &str| {
        let to = dir.path().join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(data("pictures").join(from), to).unwrap();
    };
    put("train/cat/a.png", "train/cat/a.png");
    let read = || read_image_folders(dir.path(), FolderOptions::default()).map_err(|error| error.to_string());
    assert!(read().unwrap_err().starts_with("cannot read the folder "));
    put("train/cat/a.png", "test/bird/a.png");
    let text = read().unwrap_err();
    assert!(text.ends_with("bird: class: expected one of the training set's: `cat`"), "{text}");
    fs::rename(dir.path().join("test/bird"), dir.path().join("test/cat")).unwrap();
    assert_eq!(read().unwrap().test.len(), 1);
    let scaled = read_image_folder(data("pictures/train"), FolderOptions { channels: 3, size: Some([4, 4]) }).unwrap();
    assert_eq!(scaled.shape(), [3, 4, 4]);
    write_small(&dir.path().join("test/cat/b.png"));
    let text = read().unwrap_err();
    let expected = "b.png: picture: expected height and width [9, 12] as before, found [1, 1]; give a size to scale to";
    assert!(text.ends_with(expected), "{text}");
}

/// A PNG of one grey pixel, as Pillow writes it.
fn write_small(path: &Path) {
    let bytes = [
        137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0, 58, 126,
        155, 85, 0, 0, 0, 10, 73, 68, 65, 84, 120, 156, 99, 96, 0, 0, 0, 2, 0, 1, 72, 175, 164, 113, 0, 0, 0, 0, 73,
        69, 78, 68, 174, 66, 96, 130,
    ];
    fs::write(path, bytes).unwrap();
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(
        which in 0_usize..8,
        keep in 0_usize..900,
        changes in prop::collection::vec((0_usize..900, any::<u8>()), 0..4),
    ) {
        let names = [&TRAIN[..], &TEST[..]].concat();
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("a")).unwrap();
        let bytes = fs::read(data("pictures").join(names[which].0)).unwrap();
        fs::write(dir.path().join("a/x"), changed(&bytes, keep, &changes)).unwrap();
        // A header may claim any size: scaling keeps what is kept small.
        let _ = read_image_folder(dir.path(), FolderOptions { channels: 3, size: Some([2, 2]) });
    }
}
