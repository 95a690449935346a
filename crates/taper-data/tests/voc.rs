//! Annotated pictures in PASCAL VOC's layout: what is read, and what is told of what cannot be.

#![cfg(feature = "coco")]

use image::RgbImage;
use std::fs;
use std::path::Path;
use taper_data::{Batch, Dataset, SceneFolder, SceneOptions, SceneTargets, UNKNOWN};
use tempfile::TempDir;

/// The classes of a picture of 4 × 2 pixels as a PNG with a palette: 0 1 1 255, and 0 0 20 255.
const PALETTE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x04\0\0\0\x02\x08\x03\0\0\0\x48\x76\x8d\x51\0\0\0\x0cPLTE\0\0\0\x80\0\0\
    \0\x40\x80\xe0\xe0\xc0\x8a\xee\x38\x57\0\0\0\x12IDAT\x78\x9c\x63\x60\x60\x64\x64\x66\x60\x60\x60\x62\x06\0\0\x32\0\x0b\x8f\x62\
    \xe3\x0e\0\0\0\0IEND\xae\x42\x60\x82";

fn object(name: &str, difficult: &str, [xmin, ymin, xmax, ymax]: [&str; 4]) -> String {
    format!(
        "<object><name>{name}</name><difficult>{difficult}</difficult><part><name>head</name></part><bndbox><xmin>{xmin}</xmin>\
         <ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox></object>"
    )
}

fn annotation(objects: &str) -> String {
    format!("<annotation><size><width>4</width><height>2</height><depth>3</depth></size>{objects}</annotation>")
}

fn write(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Three pictures: two to learn from, one to be measured on.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let all = [
        ("000005", [object("dog", "0", ["1", "1", "2", "2"]), object("cat", "1", ["2.0", "1", "4", "2"])].concat()),
        ("000007", object("cat", "0", ["3", "2", "4", "2"])),
        ("000009", object("dog", "0", ["1", "1", "4", "2"])),
    ];
    for (name, objects) in all {
        write(dir, &format!("Annotations/{name}.xml"), annotation(&objects));
        write(dir, &format!("SegmentationClass/{name}.png"), PALETTE);
        fs::create_dir_all(dir.join("JPEGImages")).unwrap();
        let pixels = RgbImage::from_fn(4, 2, |x, y| image::Rgb([10 * x as u8, 10 * y as u8, 0]));
        pixels.save(dir.join(format!("JPEGImages/{name}.png"))).unwrap();
    }
    for lists in ["Main", "Segmentation"] {
        write(dir, &format!("ImageSets/{lists}/train.txt"), "000005\n000007 \n\n");
        write(dir, &format!("ImageSets/{lists}/val.txt"), "000009\n");
    }
    write(dir, "ImageSets/Main/cat_train.txt", "000005  0\n");
    folder
}

fn open(folder: &TempDir, masks: bool) -> taper_data::Result<SceneFolder> {
    SceneFolder::open(folder.path(), SceneOptions { size: 8, masks })
}

/// The error after a change of the file `name`, with the folder as DIR.
fn told(masks: bool, name: &str, bytes: Option<&[u8]>) -> String {
    let folder = folder();
    match bytes {
        Some(bytes) => write(folder.path(), name, bytes),
        None => fs::remove_file(folder.path().join(name)).unwrap(),
    }
    open(&folder, masks).unwrap_err().to_string().replace(&*folder.path().to_string_lossy(), "DIR")
}

fn filled(data: &dyn Dataset, index: usize) -> Batch {
    let mut batch = Batch::default();
    batch.clear(1);
    data.fill(0, &[index], &mut batch).unwrap();
    batch
}

#[test]
fn boxes_are_of_pixels_counted_from_one() {
    let folder = folder();
    let found = open(&folder, false).unwrap();
    assert_eq!((found.train.len(), found.validation.is_none(), found.test.as_ref().unwrap().len()), (2, true, 1));
    assert_eq!((found.train.classes(), found.train.name(1)), (&["cat".to_string(), "dog".into()][..], "000007"));
    let [dog, cat] = found.train.things(0) else { panic!() };
    assert_eq!((dog.class, dog.bounds, dog.area, dog.crowd), (1, [0.0, 0.0, 2.0, 2.0], 4.0, false));
    // What is difficult is a crowd.
    assert_eq!((cat.class, cat.bounds, cat.area, cat.crowd), (0, [1.0, 0.0, 4.0, 2.0], 6.0, true));
    let batch = filled(&found.train.clone().with(SceneTargets::Boxes), 1);
    assert_eq!(batch.field("boxes").unwrap().data.to_f64(), [4.0, 4.0, 8.0, 8.0]);
    // A list for the test makes that of validation one, and the checksum is of annotations too.
    write(folder.path(), "ImageSets/Main/test.txt", "000009");
    let with_test = open(&folder, false).unwrap();
    assert!(with_test.validation.is_some() && with_test.checksum() != found.checksum());
    write(folder.path(), "Annotations/000009.xml", annotation(""));
    assert_ne!(open(&folder, false).unwrap().checksum(), with_test.checksum());
    // Without train.txt it is trainval.txt that is learned from.
    let lists = folder.path().join("ImageSets/Main");
    fs::rename(lists.join("train.txt"), lists.join("trainval.txt")).unwrap();
    assert_eq!(open(&folder, false).unwrap().train.len(), 2);
}

#[test]
fn a_box_of_a_program_that_counts_from_zero_is_cut() {
    let folder = folder();
    write(folder.path(), "Annotations/000005.xml", annotation(&object("dog", "0", ["0", "0", "4.5", "2"])));
    assert_eq!(open(&folder, false).unwrap().train.things(0)[0].bounds, [0.0, 0.0, 4.0, 2.0]);
}

#[test]
fn classes_of_pixels_are_those_of_the_palette() {
    let folder = folder();
    let found = open(&folder, true).unwrap();
    assert_eq!((found.train.classes().len(), &*found.train.classes()[14]), (20, "person"));
    let labels = filled(&found.train, 0).i64s("labels").unwrap().to_vec();
    // Each pixel becomes two columns and four rows.
    let row = |classes: [i64; 4]| classes.iter().flat_map(|&class| [class; 2]).collect::<Vec<_>>();
    assert_eq!((&labels[..8], &labels[56..]), (&row([0, 1, 1, UNKNOWN])[..], &row([0, 0, 20, UNKNOWN])[..]));
    let areas: Vec<f64> = found.train.things(0).iter().map(|thing| thing.area).collect();
    assert_eq!((areas, found.train.things(0)[1].bounds), (vec![2.0, 1.0, 2.0], [2.0, 1.0, 3.0, 2.0]));
    // Annotations are not asked for.
    fs::remove_dir_all(folder.path().join("Annotations")).unwrap();
    open(&folder, true).unwrap();
    let mut other = RgbImage::new(4, 2);
    other.put_pixel(2, 1, image::Rgb([1, 2, 3]));
    other.save(folder.path().join("SegmentationClass/000007.png")).unwrap();
    let text = open(&folder, true).unwrap_err().to_string();
    let due = "000007.png: pixel (2, 1): expected a colour of PASCAL VOC's palette, of the classes 0 to 20 or of 255, found [1, 2, 3]";
    assert!(text.ends_with(due), "{text}");
    let text = told(true, "SegmentationClass/000005.png", None);
    assert!(text.starts_with("cannot read DIR/SegmentationClass/000005.png: "), "{text}");
    let text = told(true, "SegmentationClass/000005.png", Some(&PALETTE[..80]));
    assert!(text.starts_with("DIR/SegmentationClass/000005.png: "), "{text}");
}

/// A mask of another size than its picture is told when the picture is read.
#[test]
fn a_mask_of_another_size_is_told() {
    let folder = folder();
    RgbImage::new(4, 3).save(folder.path().join("SegmentationClass/000005.png")).unwrap();
    let found = open(&folder, true).unwrap();
    let text = found.train.fill(0, &[0], &mut Batch::default()).unwrap_err().to_string();
    assert!(text.ends_with("expected height and width [3, 4], as the annotations say, found [2, 4]"), "{text}");
}

#[test]
fn lists_that_cannot_be_are_told() {
    let list = "ImageSets/Main/train.txt";
    let text = told(false, list, None);
    let due = "a list of the pictures to learn from, train.txt or trainval.txt, a name in each line";
    assert!(text.contains("DIR/ImageSets/Main/train.txt") && text.contains(due), "{text}");
    for (bytes, due) in [
        (&b"\n"[..], "DIR/ImageSets/Main/train.txt: file: expected names of pictures, one a line, found none"),
        (b"000005\n000005", "DIR/ImageSets/Main/train.txt: line 2: expected each picture once, found 000005 twice"),
        (
            b"../000005",
            "DIR/ImageSets/Main/train.txt: line 1: expected the name of a picture without its folder and its ending, found \
             `../000005`",
        ),
        (b"00\xff", "DIR/ImageSets/Main/train.txt: byte 3: expected text in UTF-8, found other bytes"),
    ] {
        assert_eq!(told(false, list, Some(bytes)), due);
    }
    let text = told(false, list, Some(b"none"));
    let due = "a picture that line 1 of DIR/ImageSets/Main/train.txt names (or .jpeg, or .png)";
    assert!(text.contains("DIR/JPEGImages/none.jpg") && text.contains(due), "{text}");
}

#[test]
fn annotations_that_cannot_be_are_told() {
    let name = "Annotations/000005.xml";
    let of = |text: &str| {
        let told = told(false, name, Some(text.as_bytes()));
        told.strip_prefix("DIR/Annotations/000005.xml: ").unwrap_or_else(|| panic!("{told}")).to_string()
    };
    assert!(of("<annotation>").starts_with("file: expected an annotation in XML: "));
    let size = "size: expected a height and width from 1 to 16384, found ";
    assert_eq!(of("<annotation/>"), "size: expected the picture's size, found none");
    assert_eq!(of(&annotation("").replace("<height>2", "<height>0")), format!("{size}0 and 4"));
    assert_eq!(of(&annotation("").replace("<width>4</width>", "")), format!("{size}2 and nothing"));
    let good = ["1", "1", "2", "2"];
    let with = |object: String| of(&annotation(&object));
    assert_eq!(with(object(" ", "0", good)), "object 1: name: expected that of a class, found none");
    assert_eq!(with(object("dog", "2", good)), "object 1: difficult: expected 0 or 1, found `2`");
    assert_eq!(with("<object><name>dog</name></object>".into()), "object 1: bndbox: expected a box, found none");
    let numbers = "object 1: bndbox: expected numbers xmin, ymin, xmax and ymax, found ";
    assert_eq!(with(object("dog", "0", ["1", "", "2", "2"])), format!("{numbers}nothing as ymin"));
    assert_eq!(with(object("dog", "0", ["1", "1", "NaN", "2"])), format!("{numbers}NaN as xmax"));
    let due = "object 1: bndbox: expected xmin ≤ xmax and ymin ≤ ymax, found x 3 to 2, y 1 to 2";
    assert_eq!(with(object("dog", "0", ["3", "1", "2", "2"])), due);
    let due = "object 1: bndbox: the box x 1 to 6, y 1 to 2 leaves the picture of 4 × 2 pixels";
    assert_eq!(with(object("dog", "0", ["1", "1", "6", "2"])), due);
    let other = told(false, "Annotations/000009.xml", Some(annotation(&object("cow", "0", good)).as_bytes()));
    let due = "DIR/Annotations/000009.xml: object 1: name: expected a class of the pictures to learn from, found cow";
    assert_eq!(other, due);
    // Entities that grow are refused, and so is any document type.
    let bomb = of("<!DOCTYPE a [<!ENTITY b \"bbbb\">]><annotation>&b;</annotation>");
    assert!(bomb.starts_with("file: expected an annotation in XML: "), "{bomb}");
    // Elements in elements, however deep, take no stack.
    let deep = of(&["<a>".repeat(300_000), "</a>".repeat(300_000)].concat());
    assert_eq!(deep, "size: expected the picture's size, found none");
}

#[test]
fn pictures_without_objects_alone_are_told() {
    let folder = folder();
    for name in ["000005", "000007"] {
        write(folder.path(), &format!("Annotations/{name}.xml"), annotation(""));
    }
    let text = open(&folder, false).unwrap_err().to_string();
    assert!(text.ends_with("objects: expected an object at least in the pictures to learn from, found none"), "{text}");
}
