//! Tests of image folders whose files Pillow wrote.
#![cfg(feature = "images")]

mod common;

use common::{changed, data, expected};
use proptest::prelude::*;
use serde_json::Value;
use std::fs;
use std::path::Path;
use taper_data::{FolderOptions, ImageDataset, read_image_folder, read_image_folders};

/// The images in the order in which they are read, and the largest error of a value, since Pillow's decoders and
/// resizing round differently.
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
    ends(read(any), ": classes: expected 1 to 65536 folders, one a class, found 0");
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

#[test]
fn pictures_stand_upright() {
    let dir = tempfile::tempdir().unwrap();
    let class = dir.path().join("all");
    fs::create_dir(&class).unwrap();
    for orientation in [1, 3, 6, 7] {
        let names = ["jpg", "png", "webp"].map(|kind| format!("turned/{orientation}/a.{kind}"));
        for name in &names {
            fs::copy(data("pictures").join(name), class.join(name.rsplit('/').next().unwrap())).unwrap();
        }
        let names: Vec<_> =
            names.iter().map(|name| (name.as_str(), if name.ends_with("jpg") { 3 } else { 0 })).collect();
        for (size, key, more) in [(None, "rgb", 0), (Some([5, 7]), "scaled", 1)] {
            let found = read_image_folder(dir.path(), FolderOptions { channels: 3, size }).unwrap();
            let upright = if orientation < 5 { [12, 9] } else { [9, 12] };
            assert_eq!(found.shape()[1..], size.unwrap_or(upright), "{orientation}");
            check(&found, &names, key, more);
        }
    }
}

/// Every image of the fixtures, truncated anywhere.
#[test]
fn a_picture_that_is_not_all_there_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("a")).unwrap();
    let read = |bytes: &[u8]| {
        fs::write(dir.path().join("a/x"), bytes).unwrap();
        read_image_folder(dir.path(), FolderOptions::default())
    };
    let names = TRAIN.iter().chain(&TEST).map(|(name, _)| *name);
    for name in names.chain(["cut/all/baseline.jpg", "cut/all/progressive.jpg"]) {
        let whole = fs::read(data("pictures").join(name)).unwrap();
        let same = read(&whole).unwrap();
        let more = [&whole[..], b"a second picture or a film"].concat();
        assert_eq!(read(&more).unwrap(), same, "{name}: what follows the end means nothing");
        // Of a chunk of an odd number of bytes, a WebP file ends with one that says nothing.
        let padding = usize::from(name.ends_with("webp"));
        // Every length of small files, many of the others.
        for length in (0..whole.len() - padding).step_by(1 + whole.len() / 300) {
            let text = read(&whole[..length]).unwrap_err().to_string();
            assert!(text.contains("x: picture: damaged: ") || length < 16, "{name} of {length} bytes: {text}");
        }
    }
}

#[test]
fn bytes_between_the_segments_of_a_jpeg_mean_nothing() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("a")).unwrap();
    let whole = fs::read(data("pictures/train/dog/a.jpg")).unwrap();
    let read = |bytes: &[u8]| {
        fs::write(dir.path().join("a/x"), bytes).unwrap();
        read_image_folder(dir.path(), FolderOptions::default()).unwrap()
    };
    let table = whole.windows(2).position(|pair| pair == [0xFF, 0xDB]).unwrap();
    for more in [&[0; 40][..], &[0xFF; 3], b"padding"] {
        assert_eq!(read(&[&whole[..table], more, &whole[table..]].concat()), read(&whole));
    }
}

#[test]
fn what_would_take_too_much_memory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("a")).unwrap();
    let read = |bytes: &[u8], size| {
        fs::write(dir.path().join("a/x"), bytes).unwrap();
        read_image_folder(dir.path(), FolderOptions { channels: 3, size })
            .map(|data| data.shape())
            .map_err(|e| e.to_string())
    };
    // A JPEG and a WebP whose heads claim more than their bytes can hold.
    let mut jpeg = fs::read(data("pictures/train/dog/a.jpg")).unwrap();
    let frame = jpeg.windows(2).position(|pair| pair == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xFF; 4]);
    let text = read(&jpeg, None).unwrap_err();
    assert!(text.contains("x: picture: damaged: it claims 4294836225 pixels, more than its 836 bytes hold"), "{text}");
    let mut webp = fs::read(data("pictures/test/cat/a.webp")).unwrap();
    webp[21..25].copy_from_slice(&[0xFE, 0xBF, 0xFF, 0x0F]);
    let text = read(&webp, Some([2, 2])).unwrap_err();
    assert!(text.contains("x: picture: damaged: it claims 268402689 pixels, more than its 478 bytes hold"), "{text}");
    // What the caller asks for counts too.
    let small = fs::read(data("pictures/train/cat/a.png")).unwrap();
    for size in [[1 << 14, 1 << 14], [usize::MAX, 2], [1 << 31, 1]] {
        let text = read(&small, Some(size)).unwrap_err();
        assert!(text.contains("a size of 1 to 67108864 pixels, found 3 channels, size Some("), "{text}");
    }
}

/// 19.5 kB that unpack to 20 million pixels: read without resizing, refused where resizing would take 66.8 GiB.
#[cfg(feature = "gzip")]
#[test]
fn a_long_thin_picture_does_not_end_the_process() {
    use flate2::{Compression, write::ZlibEncoder};
    use std::io::Write;
    let chunk = |name: &[u8; 4], data: &[u8]| {
        let body = [&name[..], data].concat();
        [&(data.len() as u32).to_be_bytes()[..], &body, &crc32fast::hash(&body).to_be_bytes()].concat()
    };
    let width = 20_000_000_u32;
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&vec![0; width as usize + 1]).unwrap();
    let head = [&width.to_be_bytes()[..], &[0, 0, 0, 1, 8, 0, 0, 0, 0]].concat();
    let chunks = [chunk(b"IHDR", &head), chunk(b"IDAT", &packed.finish().unwrap()), chunk(b"IEND", b"")].concat();
    let bytes = [b"\x89PNG\r\n\x1a\n", &chunks[..]].concat();
    assert!(bytes.len() < 25_000);
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("c")).unwrap();
    fs::write(dir.path().join("c/a.png"), bytes).unwrap();
    let text = read_image_folder(dir.path(), FolderOptions { channels: 3, size: Some([224, 224]) }).unwrap_err();
    let expected = "a.png: picture: too large: reading 20000000 × 1 pixels (width × height) and scaling them to height \
                    and width [224, 224] takes 66.8 GiB of memory; at most 0.9 are taken for a picture: make it smaller \
                    before";
    assert!(text.to_string().ends_with(expected), "{text}");
}

/// A lossy conversion would make two names that are no Unicode equal, and merge two classes.
#[cfg(target_os = "linux")]
#[test]
fn classes_are_named_in_unicode() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let dir = tempfile::tempdir().unwrap();
    for name in [b"\xffa", b"\xfea"] {
        let class = dir.path().join(OsStr::from_bytes(name));
        fs::create_dir(&class).unwrap();
        fs::copy(data("pictures/train/cat/a.png"), class.join("a.png")).unwrap();
    }
    let text = read_image_folder(dir.path(), FolderOptions::default()).unwrap_err().to_string();
    assert!(text.contains("classes: expected a class's name in UTF-8, found \"\\xFEa\""), "{text}");
    // A picture's name is nobody's identity.
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("a")).unwrap();
    for name in [b"\xffa", b"\xfea"] {
        fs::copy(data("pictures/train/cat/a.png"), dir.path().join("a").join(OsStr::from_bytes(name))).unwrap();
    }
    assert_eq!(read_image_folder(dir.path(), FolderOptions::default()).unwrap().len(), 2);
}

/// `é` is one character in the training split and two in the test split.
#[test]
fn a_class_is_the_same_in_either_normal_form() {
    let dir = tempfile::tempdir().unwrap();
    let put = |class: &str| {
        let class = dir.path().join(class);
        fs::create_dir_all(&class).unwrap();
        fs::copy(data("pictures/train/cat/a.png"), class.join("a.png")).unwrap();
    };
    ["train/caf\u{e9}", "train/tea", "test/cafe\u{301}"].into_iter().for_each(put);
    let splits = read_image_folders(dir.path(), FolderOptions::default()).unwrap();
    assert_eq!(splits.test.labels(), [0]);
    assert_eq!(
        (splits.train.classes(), splits.test.classes()),
        (&["caf\u{e9}".into(), "tea".into()][..], splits.train.classes())
    );
    put("train/cafe\u{301}");
    // Where a file system takes both for one (macOS), there is one.
    if fs::read_dir(dir.path().join("train")).unwrap().count() == 3 {
        let text = read_image_folders(dir.path(), FolderOptions::default()).unwrap_err().to_string();
        assert!(
            text.contains("in another Unicode normalisation form; put the files of both into one folder"),
            "{text}"
        );
    }
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
