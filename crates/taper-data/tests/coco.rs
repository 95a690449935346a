//! Annotated pictures in COCO's format: what is read, and what is told of annotations that cannot be.

#![cfg(feature = "coco")]

use image::RgbImage;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use taper_data::{Batch, Dataset, SceneFolder, SceneOptions, SceneTargets, Scenes, UNKNOWN};
use tempfile::TempDir;

const OPTIONS: SceneOptions = SceneOptions { size: 8, masks: true };

/// A picture of 8 × 6 pixels (width, height) whose red is 10 x and whose green is 10 y.
fn picture(path: &Path) {
    let pixels = RgbImage::from_fn(8, 6, |x, y| image::Rgb([10 * x as u8, 10 * y as u8, 0]));
    pixels.save(path).unwrap();
}

/// Two pictures; in the second a cat of 2 × 3 pixels, its upper left one at (1, 2), and a crowd of dogs at the right edge, packed.
fn annotations() -> Value {
    json!({
        "info": {"year": 2026},
        "images": [{"id": 3, "file_name": "b.png", "width": 8, "height": 6},
                   {"id": 7, "file_name": "a.png", "width": 8, "height": 6}],
        "categories": [{"id": 18, "name": "dog"}, {"id": 17, "name": "cat", "supercategory": "animal"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 17, "bbox": [1, 2, 2, 3], "area": 6.0, "iscrowd": 0,
             "segmentation": {"size": [6, 8], "counts": [8, 3, 3, 3, 31]}},
            {"id": 2, "image_id": 7, "category_id": 18, "bbox": [7, 0, 1.3, 6], "iscrowd": 1,
             // 42 outside, 6 inside.
             "segmentation": {"size": [6, 8], "counts": "Z16"}},
        ],
    })
}

/// A folder with one split, whose annotations `change` has changed.
fn folder(change: impl Fn(&mut Value)) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.png", "b.png"] {
        picture(&folder.path().join(name));
    }
    let mut text = annotations();
    change(&mut text);
    std::fs::write(folder.path().join("annotations.json"), text.to_string()).unwrap();
    folder
}

fn read(folder: &TempDir, options: SceneOptions) -> taper_data::Result<Scenes> {
    Scenes::coco(folder.path().join("annotations.json"), folder.path(), options)
}

fn filled(data: &Scenes, index: usize) -> Batch {
    let mut batch = Batch::default();
    batch.clear(1);
    data.fill(0, &[index], &mut batch).unwrap();
    batch
}

#[test]
fn things_are_where_the_annotations_say() {
    let folder = folder(|_| ());
    let data = read(&folder, OPTIONS).unwrap();
    // Classes by id, pictures in their order.
    assert_eq!((data.len(), data.classes()), (2, &["cat".to_string(), "dog".into()][..]));
    assert_eq!((data.name(0), data.things(0).len(), data.things(1).len()), ("b.png", 0, 2));
    let [cat, dogs] = data.things(1) else { panic!() };
    assert_eq!((cat.class, cat.bounds, cat.area, cat.crowd), (0, [1.0, 2.0, 3.0, 5.0], 6.0, false));
    // What is rounded outside is cut; without an area, the mask's.
    assert_eq!((dogs.class, dogs.bounds, dogs.area, dogs.crowd), (1, [7.0, 0.0, 8.0, 6.0], 6.0, true));
    let batch = filled(&data, 1);
    let labels = batch.i64s("labels").unwrap();
    // Of 6 rows 8 were made: row 4 is from row 3.
    assert_eq!(labels[4 * 8..5 * 8], [0, 1, 1, 0, 0, 0, 0, UNKNOWN]);
    assert_eq!(labels[..8], [0, 0, 0, 0, 0, 0, 0, UNKNOWN]);
    let red = &batch.field("inputs").unwrap().data.to_f64()[..8];
    assert_eq!(red, [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0]);
    let boxes = filled(&data.with(SceneTargets::Boxes), 1);
    let bounds = boxes.field("boxes").unwrap().data.to_f64();
    let close = |a: &[f64], b: [f64; 4]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
    assert!(close(&bounds[..4], [1.0, 2.0 * 8.0 / 6.0, 3.0, 5.0 * 8.0 / 6.0]), "{bounds:?}");
}

#[test]
fn splits_are_known_by_the_begin_of_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let split = |name: &str, change: &dyn Fn(&mut Value)| {
        std::fs::rename(folder(|text| change(text)).keep(), dir.path().join(name)).unwrap();
    };
    let open = || SceneFolder::open(dir.path(), OPTIONS);
    assert!(open().unwrap_err().to_string().contains("no annotated pictures here; expected train/annotations.json"));
    split("unseen", &|_| ());
    assert!(open().unwrap_err().to_string().contains("splits: expected a folder `train`"));
    split("train", &|_| ());
    split("val", &|_| ());
    let found = open().unwrap();
    assert_eq!((found.test.is_some(), found.validation.is_some(), found.others.len()), (true, false, 1));
    assert_eq!(found.others[0].0, "unseen");
    let before = found.checksum().to_string();
    split("test", &|_| ());
    let found = open().unwrap();
    assert!(found.test.is_some() && found.validation.is_some() && found.checksum() != before);
    split("test2", &|_| ());
    assert!(open().unwrap_err().to_string().contains("expected one split of its kind, found two"));
    std::fs::remove_dir_all(dir.path().join("test2")).unwrap();
    split("other", &|text| text["categories"][0]["name"] = "wolf".into());
    assert!(open().unwrap_err().to_string().contains("categories: expected the categories of "));
}

/// As COCO itself is published.
#[test]
fn annotations_may_be_beside_the_pictures() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("annotations")).unwrap();
    for name in ["train2017", "val2017"] {
        let pictures = dir.path().join(name);
        std::fs::rename(folder(|_| ()).keep(), &pictures).unwrap();
        let to = dir.path().join(format!("annotations/instances_{name}.json"));
        std::fs::rename(pictures.join("annotations.json"), to).unwrap();
    }
    std::fs::write(dir.path().join("annotations/captions_train2017.json"), "{}").unwrap();
    let found = SceneFolder::open(dir.path(), OPTIONS).unwrap();
    assert_eq!((found.train.len(), found.test.unwrap().len()), (2, 2));
}

/// Whatever is changed in the annotations, what is wrong is said, with the place.
#[test]
fn annotations_that_cannot_be_are_told() {
    let first = "annotation 1: ";
    let due: &[(&str, Value, String)] = &[
        ("/annotations/0/image_id", json!(4), format!("{first}image_id 4 is the id of none of the images")),
        ("/annotations/0/category_id", json!(99), format!("{first}category_id 99 is the id of none of the categories")),
        ("/annotations/0/id", json!(0), "picture a.png".into()),
        (
            "/annotations/0/bbox",
            json!([1, 2, 8, 3]),
            format!(
                "{first}bbox: the box [1.0, 2.0, 8.0, 3.0] (x, y, width, height) leaves the picture a.png, 8 × 6 pixels"
            ),
        ),
        ("/annotations/0/bbox", json!([-1, 2, 2, 3]), "leaves the picture a.png".into()),
        ("/annotations/0/bbox", json!([1, 4, 2, 3]), "leaves the picture a.png".into()),
        (
            "/annotations/0/bbox",
            json!([1, 2, -2, 3]),
            format!("{first}bbox: expected [x, y, width, height] with sizes of 0"),
        ),
        ("/annotations/0/bbox", json!([1, 2, 2]), "expected annotations in COCO's format: ".into()),
        ("/annotations/0/area", json!(-1), format!("{first}area: expected 0 or more, found -1")),
        ("/annotations/0/segmentation", json!(null), format!("{first}segmentation: expected a mask, found none")),
        (
            "/annotations/0/segmentation/counts",
            json!([8, 3]),
            format!("{first}segmentation: expected run lengths of 48 pixels, for 6 × 8, found 11"),
        ),
        (
            "/annotations/0/segmentation/size",
            json!([8, 6]),
            format!("{first}segmentation: expected the picture's size, [6, 8] (height, width), found [8, 6]"),
        ),
        (
            "/annotations/0/segmentation",
            json!([[1, 2, 3, 2, 3, 5]]),
            format!("{first}segmentation: expected run lengths, found polygons, which are not read"),
        ),
        ("/annotations/0/segmentation", json!(7), format!("{first}segmentation: expected run lengths, {{\"size\"")),
        (
            "/annotations/1/segmentation/counts",
            json!("!"),
            "annotation 2: segmentation: expected run lengths as COCO".into(),
        ),
        ("/images/0/id", json!(7), "image 7: expected each id once, found it twice".into()),
        (
            "/images/0/file_name",
            json!("../b.png"),
            "expected a file in the folder of the pictures, found `../b.png`".into(),
        ),
        ("/images/0/file_name", json!("c.png"), "c.png: no such file; expected a picture that ".into()),
        ("/images/0/width", json!(0), "image 3: expected a width and height of 1 or more".into()),
        ("/images", json!([]), "images: expected a picture at least, found none".into()),
        ("/categories", json!([]), "categories: expected a category at least, found none".into()),
        ("/categories/0/id", json!(17), "categories: expected each id once, found 17 twice".into()),
        ("/categories/0/name", json!("cat"), "categories: expected each name once, found cat twice".into()),
    ];
    for (place, value, text) in due {
        let folder = folder(|all| {
            *all.pointer_mut(place).unwrap() = value.clone();
            if *place == "/annotations/0/id" {
                all["annotations"][0]["bbox"] = json!([1, 2, 20, 3]);
            }
        });
        let error = read(&folder, OPTIONS).unwrap_err().to_string();
        assert!(error.contains(text) && error.contains("annotations.json"), "{place}: {error}");
    }
    // Masks that are not asked for may be missing, or polygons.
    for value in [json!(null), json!([[1, 2, 3, 2, 3, 5]])] {
        let folder = folder(|all| all["annotations"][0]["segmentation"] = value.clone());
        let scenes = read(&folder, SceneOptions { masks: false, ..OPTIONS }).unwrap();
        assert!(scenes.things(1)[0].mask.is_none());
    }
    let text = read(&folder(|_| ()), SceneOptions { size: 4, ..OPTIONS }).unwrap_err().to_string();
    assert_eq!(text, "scenes: size: expected 8 to 1024 pixels, found 4");
}

#[test]
fn a_picture_of_another_size_is_an_error_of_its_batch() {
    let folder = folder(|all| all["images"][1]["width"] = json!(9));
    let path: PathBuf = folder.path().join("annotations.json");
    let text = std::fs::read_to_string(&path).unwrap().replace("[6,8]", "[6,9]");
    let text = text.replace("[8,3,3,3,31]", "[8,3,3,3,37]").replace("\"Z16\"", "\"`16\"");
    std::fs::write(&path, text).unwrap();
    let scenes = read(&folder, OPTIONS).unwrap();
    let mut batch = Batch::default();
    batch.clear(1);
    let text = scenes.fill(0, &[1], &mut batch).unwrap_err().to_string();
    assert!(
        text.ends_with("a.png: picture: expected height and width [6, 9], as the annotations say, found [6, 8]"),
        "{text}"
    );
}

#[test]
fn a_file_that_is_no_json_is_told_where() {
    let folder = folder(|_| ());
    let path = folder.path().join("annotations.json");
    for (text, due) in [("", "line 1, column 0"), ("{\"images\": [\n}", "line 2, column 1"), ("[]", "line 1, column")] {
        std::fs::write(&path, text).unwrap();
        let error = read(&folder, OPTIONS).unwrap_err().to_string();
        assert!(error.contains(due) && error.contains("expected annotations in COCO's format"), "{text}: {error}");
    }
}
