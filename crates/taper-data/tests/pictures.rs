//! Tests of pictures in folders that are decoded when a batch asks for them.
#![cfg(feature = "images")]

mod common;

use common::data;
use image::{Rgb, RgbImage};
use std::fs;
use std::path::{Path, PathBuf};
use taper_data::{Batch, Dataset};
use taper_data::{FolderOptions, PictureFolder, PictureOptions, PictureSplits, decode_picture, read_image_folder};
use tempfile::TempDir;

/// A picture of `width` × `height` pixels, written as PNG to `path`.
fn png(path: &Path, width: u32, height: u32, pixel: impl Fn(u32, u32) -> [u8; 3]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    RgbImage::from_fn(width, height, |x, y| Rgb(pixel(x, y))).save(path).unwrap();
}

fn options(size: usize) -> PictureOptions {
    PictureOptions { size, skip_bad: false }
}

fn message(dir: &Path, options: PictureOptions) -> String {
    let text = PictureSplits::open(dir, options).unwrap_err().to_string();
    text.replace(&dir.display().to_string(), "DIR")
}

/// The planes and the labels of all pictures.
fn filled(pictures: &PictureFolder) -> (Vec<u8>, Vec<i64>) {
    let mut batch = Batch::default();
    batch.clear(pictures.len());
    pictures.fill(0, &(0..pictures.len()).collect::<Vec<_>>(), &mut batch).unwrap();
    let inputs = batch.field("inputs").unwrap();
    assert_eq!(inputs.max, Some(255.0));
    let taper_backend::HostData::U8(planes) = &inputs.data else { panic!("expected bytes") };
    assert_eq!(inputs.shape[0] * inputs.shape[1] * inputs.shape[2] * inputs.shape[3], planes.len());
    (planes.clone(), batch.i64s("labels").unwrap().to_vec())
}

/// Two classes of two pictures each.
fn small() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, grey) in [("cat/a.png", 10), ("cat/b.png", 20), ("dog/a.png", 30), ("dog/b.png", 40)] {
        png(&dir.path().join(name), 8, 8, |_, _| [grey; 3]);
    }
    dir
}

#[test]
fn the_middle_of_pictures_of_any_size_is_scaled() {
    let dir = tempfile::tempdir().unwrap();
    // Three squares side by side, and one above the other; the middle one is green.
    let colour = |place: u32| [[255, 0, 0], [0, 200, 0], [0, 0, 255]][place as usize];
    png(&dir.path().join("across/a.png"), 120, 40, |x, _| colour(x / 40));
    png(&dir.path().join("down/a.png"), 16, 48, |_, y| colour(y / 16));
    png(&dir.path().join("down/b.png"), 8, 8, |_, _| colour(1));
    let grey = image::GrayImage::from_pixel(9, 9, image::Luma([77]));
    grey.save(dir.path().join("down/grey.png")).unwrap();
    let found = PictureSplits::open(dir.path(), options(16)).unwrap();
    assert_eq!(format!("{:?}", found.train), "PictureFolder(4 pictures [3, 16, 16], 2 classes)");
    assert_eq!(found.train.fields()[0].fixed(), Some(vec![3, 16, 16]));
    assert!(found.validation.is_none() && found.test.is_none() && found.skipped.is_empty());
    let (planes, labels) = filled(&found.train);
    assert_eq!(labels, [0, 1, 1, 1]);
    for picture in planes[..3 * 3 * 256].chunks_exact(3 * 256) {
        // At the rim the filter reaches the neighbours, as if the whole picture had been resized.
        let inside = |i: usize| (1..15).contains(&(i % 16)) && (1..15).contains(&(i / 16 % 16));
        let green = |(i, &value): (usize, &u8)| !inside(i) || value == [0, 200, 0][i / 256];
        assert!(picture.iter().enumerate().all(green), "{picture:?}");
    }
    assert!(planes[9 * 256..].iter().all(|&value| value == 77));
}

#[test]
fn pictures_stand_upright() {
    let dir = tempfile::tempdir().unwrap();
    for orientation in [1, 3, 6, 7] {
        let (class, path) = (dir.path().join("a"), dir.path().join("a/x"));
        fs::create_dir_all(&class).unwrap();
        png(&dir.path().join("b/x.png"), 8, 8, |_, _| [0; 3]);
        for kind in ["jpg", "png", "webp"] {
            fs::copy(data("pictures").join(format!("turned/{orientation}/a.{kind}")), &path).unwrap();
            // The whole picture, of which one side is 12 and the other 9.
            let whole = read_image_folder(class_alone(&class), FolderOptions::default()).unwrap();
            let [_, height, width] = whole.shape();
            let (top, left) = ((height - 9) / 2, (width - 9) / 2);
            let middle =
                |plane: usize, y: usize, x: usize| whole.images()[(plane * height + top + y) * width + left + x];
            let expected: Vec<u8> = (0..3 * 81).map(|i| middle(i / 81, i / 9 % 9, i % 9)).collect();
            let (planes, _) = filled(&PictureSplits::open(dir.path(), options(9)).unwrap().train);
            // Of an odd number of pixels too many, the one left over may be at either end.
            let shifted: Vec<u8> = (0..3 * 81)
                .map(|i| {
                    let (plane, y, x) = (i / 81, i / 9 % 9, i % 9);
                    whole.images()
                        [(plane * height + y + (height - 9).div_ceil(2)) * width + x + (width - 9).div_ceil(2)]
                })
                .collect();
            assert!(planes[..3 * 81] == expected || planes[..3 * 81] == shifted, "{orientation} {kind}");
        }
    }
}

/// A folder that holds the class `class` alone.
fn class_alone(class: &Path) -> PathBuf {
    let dir = class.parent().unwrap().with_extension("alone");
    fs::create_dir_all(dir.join("a")).unwrap();
    fs::copy(class.join("x"), dir.join("a/x")).unwrap();
    dir
}

#[test]
fn a_picture_is_read_to_any_shape() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.png");
    // A red third, a green one and a blue one, side by side.
    png(&path, 90, 30, |x, _| [[255, 0, 0], [0, 255, 0], [0, 0, 255]][x as usize / 30]);
    let read = |path: &Path, shape| decode_picture(&fs::read(path).unwrap(), path, shape);
    let whole = read(&path, [3, 10, 30]).unwrap();
    for (channel, plane) in whole.chunks(300).enumerate() {
        for (i, &value) in plane.iter().enumerate().filter(|(i, _)| !matches!(i % 30, 9 | 10 | 19 | 20)) {
            assert_eq!(value, 255 * u8::from(i % 30 / 10 == channel), "{channel} {i}");
        }
    }
    // The middle in grey (0.587 of green), of whole pixels.
    let grey = read(&path, [1, 30, 30]).unwrap();
    assert!(grey.iter().all(|&value| value == 150), "{grey:?}");
    assert_eq!(read(&path, [1, 30, 90]).unwrap()[..30], [76; 30]);
    // As tall as wide times three: a strip of the middle.
    let strip = read(&path, [3, 30, 10]).unwrap();
    assert!(strip[..300].iter().chain(&strip[600..]).all(|&value| value == 0) && strip[300..600] == [255; 300]);
    let text = read(&path, [2, 8, 8]).unwrap_err().to_string();
    assert_eq!(text, "picture: shape: expected [1 or 3, 1 to 4096, 1 to 4096], found [2, 8, 8]");
    let text = decode_picture(b"text", "standard input", [3, 8, 8]).unwrap_err().to_string();
    assert_eq!(text, "standard input: picture: expected PNG, JPEG or WebP, found something else");
    // As the camera held it: a picture on its side is cropped to the same part.
    let turned = data("pictures/turned/6/a.png");
    let (upright, part) = (read(&turned, [3, 12, 9]), read(&turned, [3, 12, 3]).unwrap());
    let size = read(&turned, [3, 9, 12]).map(|planes| planes.len()).unwrap();
    assert_eq!((upright.map(|planes| planes.len()).unwrap(), part.len(), size), (324, 108, 324));
}

#[test]
fn class_names_are_the_same_in_either_normal_form() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["train/caf\u{e9}/1.png", "train/tea/1.png", "test/cafe\u{301}/1.png"] {
        png(&dir.path().join(name), 8, 8, |_, _| [9; 3]);
    }
    let found = PictureSplits::open(dir.path(), options(8)).unwrap();
    assert_eq!((found.test.unwrap().labels(), found.train.classes()[0].as_str()), (vec![0], "caf\u{e9}"));
    png(&dir.path().join("train/cafe\u{301}/1.png"), 8, 8, |_, _| [9; 3]);
    let text = message(dir.path(), options(8));
    // Some file systems do not tell the two apart.
    assert!(text.contains("in another Unicode normalisation form") || cfg!(target_os = "macos"), "{text}");
}

#[test]
fn splits_are_found_by_their_folders() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["train/b/1.png", "train/a/1.png", "train/a/2.png", "test/b/1.png"] {
        png(&dir.path().join(name), 8, 8, |_, _| [9; 3]);
    }
    let found = PictureSplits::open(dir.path(), options(8)).unwrap();
    assert_eq!((found.train.labels(), found.train.classes()), (vec![0, 0, 1], &["a".to_string(), "b".into()][..]));
    // A class keeps its label where others are missing.
    assert_eq!((found.validation.is_none(), found.test.unwrap().labels()), (true, vec![1]));
    for name in ["val", "valid", "validation"] {
        png(&dir.path().join(name).join("a/1.png"), 8, 8, |_, _| [9; 3]);
        let found = PictureSplits::open(dir.path(), options(8)).unwrap();
        assert_eq!(found.validation.unwrap().labels(), [0], "{name}");
        fs::rename(dir.path().join(name), dir.path().join(".other")).unwrap();
        fs::remove_dir_all(dir.path().join(".other")).unwrap();
    }
    png(&dir.path().join("val/a/1.png"), 8, 8, |_, _| [9; 3]);
    png(&dir.path().join("valid/a/1.png"), 8, 8, |_, _| [9; 3]);
    let text = message(dir.path(), options(8));
    assert_eq!(text, "DIR/valid: splits: expected one folder to validate on, found DIR/val too");
    fs::remove_dir_all(dir.path().join("valid")).unwrap();
    png(&dir.path().join("more/a/1.png"), 8, 8, |_, _| [9; 3]);
    assert!(message(dir.path(), options(8)).starts_with("DIR/more: splits: expected `train`, `val`"));
    fs::remove_dir_all(dir.path().join("more")).unwrap();
    png(&dir.path().join("test/c/1.png"), 8, 8, |_, _| [9; 3]);
    let text = message(dir.path(), options(8));
    assert_eq!(text, "DIR/test/c: class: expected one of the training set's: `a`, `b`");
    fs::remove_dir_all(dir.path().join("train")).unwrap();
    assert!(
        message(dir.path(), options(8))
            .starts_with("DIR/test: splits: expected folders of classes in a folder `train`")
    );
    // Without folders in it, `train` is a class.
    let dir = tempfile::tempdir().unwrap();
    png(&dir.path().join("train/1.png"), 8, 8, |_, _| [9; 3]);
    png(&dir.path().join("boat/1.png"), 8, 8, |_, _| [9; 3]);
    let found = PictureSplits::open(dir.path(), options(8)).unwrap();
    assert_eq!(found.train.classes(), ["boat", "train"]);
}

#[test]
fn what_is_wrong_with_folders_is_said() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(message(dir.path(), options(8)), "DIR: classes: expected 2 to 65536 folders, one a class, found 0");
    png(&dir.path().join("cat/a.png"), 8, 8, |_, _| [9; 3]);
    let text = message(dir.path(), options(8));
    assert_eq!(text, "DIR: classes: expected 2 to 65536 folders, one a class, found 1 (`cat`)");
    fs::create_dir(dir.path().join("dog")).unwrap();
    assert_eq!(message(dir.path(), options(8)), "DIR/dog: class: expected a picture or more, found none");
    fs::create_dir(dir.path().join("dog/more")).unwrap();
    assert_eq!(message(dir.path(), options(8)), "DIR/dog/more: folder: expected pictures here, found a folder");
    fs::remove_dir(dir.path().join("dog/more")).unwrap();
    png(&dir.path().join("dog/a.png"), 8, 8, |_, _| [9; 3]);
    fs::write(dir.path().join("notes.txt"), b"").unwrap();
    let text = message(dir.path(), options(8));
    assert_eq!(text, "DIR/notes.txt: folder: expected one folder a class here, found a file");
    assert!(message(Path::new("none"), options(8)).starts_with("cannot read the folder DIR: "));
    for size in [7, 1025] {
        let text = message(dir.path(), options(size));
        assert_eq!(text, format!("picture folders: size: expected 8 to 1024 pixels, found {size}"));
    }
}

#[test]
fn bad_files_are_errors_or_are_left_out_and_listed() {
    let dir = small();
    let whole = fs::read(data("pictures/train/dog/a.jpg")).unwrap();
    let bad: [(&str, &[u8], &str); 5] = [
        ("cat/cut.jpg", &whole[..whole.len() - 20], "damaged: cut: it has no end-of-image marker"),
        ("cat/empty.png", b"", "expected PNG, JPEG or WebP, found an empty file"),
        ("dog/Thumbs.db", b"text", "expected PNG, JPEG or WebP, found something else"),
        ("dog/x.gif", b"GIF89a", "expected PNG, JPEG or WebP, found Gif"),
        ("labels.csv", b"a,b\n", "expected one folder a class here, found a file"),
    ];
    for (name, bytes, reason) in bad {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        let found = PictureSplits::open(dir.path(), options(8));
        if name == "cat/cut.jpg" {
            // Damage further on is found by a check, or by the batch that asks for the picture.
            let all = found.unwrap().train;
            let [(index, file)] = &all.check()[..] else { panic!("expected one file") };
            assert_eq!((*index, &file.path, file.reason.as_str()), (2, &path, reason));
            let mut batch = Batch::default();
            batch.clear(1);
            all.fill(0, &[1], &mut batch).unwrap();
            let text = all.fill(0, &[2], &mut batch).unwrap_err().to_string();
            assert_eq!(text, format!("{}: picture: {reason}", path.display()));
        } else {
            let text = found.unwrap_err().to_string();
            assert!(text.contains(name) && text.ends_with(reason), "{text}");
        }
        fs::remove_file(path).unwrap();
    }
    let clean = filled(&PictureSplits::open(dir.path(), options(8)).unwrap().train);
    for (name, bytes, _) in bad {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    let found = PictureSplits::open(dir.path(), PictureOptions { size: 8, skip_bad: true }).unwrap();
    assert_eq!(filled(&found.train), clean);
    let listed: Vec<_> = found.skipped.iter().map(|file| (file.path.clone(), file.reason.as_str())).collect();
    assert_eq!(listed, bad.map(|(name, _, reason)| (dir.path().join(name), reason)));
    // A class needs a picture.
    for name in ["cat/a.png", "cat/b.png"] {
        fs::write(dir.path().join(name), &whole[..50]).unwrap();
    }
    let text = message(dir.path(), PictureOptions { size: 8, skip_bad: true });
    assert_eq!(text, "DIR/cat: class: none of its files is a picture that decodes");
}

#[test]
fn there_may_be_more_than_256_classes() {
    let dir = tempfile::tempdir().unwrap();
    png(&dir.path().join("000/a.png"), 8, 8, |_, _| [9; 3]);
    for class in 1..300 {
        let folder = dir.path().join(format!("{class:03}"));
        fs::create_dir(&folder).unwrap();
        fs::copy(dir.path().join("000/a.png"), folder.join("a.png")).unwrap();
    }
    let found = PictureSplits::open(dir.path(), options(8)).unwrap().train;
    assert_eq!((found.labels(), found.classes().len()), ((0..300).collect::<Vec<_>>(), 300));
    let mut batch = Batch::default();
    batch.clear(2);
    found.fill(0, &[299, 256], &mut batch).unwrap();
    assert_eq!(batch.i64s("labels").unwrap(), [299, 256]);
    // Those that are held in memory too.
    assert_eq!(read_image_folder(dir.path(), FolderOptions::default()).unwrap().labels()[299], 299);
}

#[test]
fn a_part_of_every_class_is_held_out() {
    let dir = tempfile::tempdir().unwrap();
    for (class, count) in [("a", 8), ("b", 4)] {
        for i in 0..count {
            png(&dir.path().join(format!("{class}/{i}.png")), 8, 8, |_, _| [i * 10; 3]);
        }
    }
    let all = PictureSplits::open(dir.path(), options(8)).unwrap().train;
    let (train, held_out) = all.split_off(0.25, 3).unwrap();
    assert_eq!((train.labels(), held_out.labels()), (vec![0, 0, 0, 0, 0, 0, 1, 1, 1], vec![0, 0, 1]));
    let mut paths: Vec<_> =
        (0..9).map(|i| train.path(i).unwrap()).chain((0..3).map(|i| held_out.path(i).unwrap())).collect();
    paths.sort();
    assert_eq!(paths, (0..12).map(|i| all.path(i).unwrap()).collect::<Vec<_>>());
    assert_eq!(held_out.path(3), None);
    // A part of a part, in another order.
    let two = held_out.subset(&[2, 0]).unwrap();
    assert_eq!((two.labels(), two.path(1)), (vec![1, 0], held_out.path(0)));
    let text = two.subset(&[2]).unwrap_err().to_string();
    assert_eq!(text, "subset: index 2 is past the end: there are 2 pictures");
    assert!(all.split_off(1.0, 0).unwrap_err().to_string().contains("found 1"));
}

#[test]
fn the_checksum_tells_changes_apart() {
    let (dir, same) = (small(), small());
    let of = |dir: &TempDir| PictureSplits::open(dir.path(), options(8)).unwrap().checksum().to_string();
    let first = of(&dir);
    assert_eq!((first.len(), &first), (64, &of(&same)));
    fs::rename(same.path().join("cat/a.png"), same.path().join("cat/c.png")).unwrap();
    assert_ne!(of(&same), first);
    fs::rename(same.path().join("cat/c.png"), same.path().join("cat/a.png")).unwrap();
    assert_eq!(of(&same), first);
    png(&same.path().join("cat/a.png"), 8, 8, |_, _| [11; 3]);
    assert_ne!(of(&same), first);
}
