//! Detection and segmentation of pictures in PASCAL VOC's layout, which the collection `voc2007` is.

#![cfg(feature = "coco")]

mod common;

use common::Place;
use std::fs;
use std::path::Path;
use taper::HostData;
use taper::data::{Batch, Dataset, Scenes};
use taper::report::Picture;

const QUICK: &str = "--threads 1 --offline --epochs 1 --set model.width=8 --set data.size=32 --set data.validation=0 --set log.report=false";

/// The colour of one of the first seven classes of PASCAL VOC: a bit of its number, which is from 1, for each channel.
fn colour(class: usize) -> [u8; 3] {
    [0, 1, 2].map(|bit| ((((class + 1) >> bit) & 1) as u8) << 7)
}

/// Drawn shapes in the layout of PASCAL VOC, with masks in the colours of its first classes; the first thing of each picture is difficult.
fn voc(dir: &Path) {
    for folder in ["Annotations", "JPEGImages", "SegmentationClass", "ImageSets/Main", "ImageSets/Segmentation"] {
        fs::create_dir_all(dir.join(folder)).unwrap();
    }
    for (split, count) in [("train", 24), ("val", 8)] {
        let scenes = Scenes::shapes(count, split);
        let (size, mut names) = (scenes.size(), String::new());
        for i in 0..count {
            let name = format!("{split}_{i:03}");
            names += &format!("{name}\n");
            let mut batch = Batch::default();
            batch.clear(1);
            scenes.fill(0, &[i], &mut batch).unwrap();
            let HostData::U8(planes) = &batch.field("inputs").unwrap().data else { panic!() };
            let png = Picture::new([3, size, size], planes.clone()).unwrap().png();
            fs::write(dir.join(format!("JPEGImages/{name}.png")), png).unwrap();
            let (mut objects, mut mask) = (String::new(), vec![0; 3 * size * size]);
            for (place, thing) in scenes.things(i).iter().enumerate() {
                let ([x1, y1, x2, y2], difficult) = (thing.bounds, u8::from(place == 0));
                objects += &format!(
                    "<object><name>{}</name><difficult>{difficult}</difficult><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{x2}</xmax>\
                     <ymax>{y2}</ymax></bndbox></object>",
                    scenes.classes()[thing.class],
                    x1 + 1.0,
                    y1 + 1.0,
                );
                let inside = thing.mask.as_ref().unwrap().mask();
                for (at, _) in inside.iter().enumerate().filter(|(_, inside)| **inside) {
                    (0..3).for_each(|channel| mask[channel * size * size + at] = colour(thing.class)[channel]);
                }
            }
            let text =
                format!("<annotation><size><width>{size}</width><height>{size}</height></size>{objects}</annotation>");
            fs::write(dir.join(format!("Annotations/{name}.xml")), text).unwrap();
            let png = Picture::new([3, size, size], mask).unwrap().png();
            fs::write(dir.join(format!("SegmentationClass/{name}.png")), png).unwrap();
        }
        for lists in ["Main", "Segmentation"] {
            fs::write(dir.join(format!("ImageSets/{lists}/{split}.txt")), &names).unwrap();
        }
    }
}

#[test]
fn boxes_and_masks_are_learned_from_a_folder_and_by_its_name() {
    const COLLECTION: &str = ".cache/taper/datasets/collections/voc2007/VOCdevkit";
    let place = Place::new();
    voc(&place.path("mine"));
    let own = place.ok(&format!("train detect {QUICK} --data-dir mine --run-dir own"));
    assert!(own.last_line().starts_with("Test Map 50 = "), "{own:?}");
    let config = place.read("own/config.toml");
    assert!(config.contains("mine, annotated pictures of") && config.contains("train = 24\n"), "{config}");
    assert_eq!(place.ok("eval own").last_line(), own.last_line());
    let masks = place.ok(&format!("train segment {QUICK} --data-dir mine --run-dir masks"));
    assert!(masks.last_line().starts_with("Test Mean iou = "), "{masks:?}");
    let result = place.read("masks/result.json");
    assert!(result.contains("\"iou_aeroplane\"") && result.contains("\"iou_background\""), "{result}");

    let due = ["PASCAL VOC 2007: expected ", "VOC2007, which is not there, and the network was not asked"];
    place.fails(&format!("train detect {QUICK} --data-dir voc2007 --run-dir none"), 1, &due);
    let due = "found the collection voc2007, which is for `detect` and `segment`";
    place.fails(&format!("train text {} --run-dir none", "--data-dir voc2007"), 2, &[due]);
    fs::create_dir_all(place.path(COLLECTION)).unwrap();
    fs::rename(place.path("mine"), place.path(COLLECTION).join("VOC2007")).unwrap();
    for (experiment, due) in [("detect", &own), ("segment", &masks)] {
        let ran = place.ok(&format!("train {experiment} {QUICK} --data-dir voc2007 --run-dir named-{experiment}"));
        assert!(ran.out.contains("PASCAL VOC 2007 from ") && ran.last_line() == due.last_line(), "{ran:?}");
        let config = place.read(&format!("named-{experiment}/config.toml"));
        assert!(
            config.contains("dir = \"voc2007\"") && config.contains("PASCAL VOC 2007, annotated pictures"),
            "{config}"
        );
    }
}

#[test]
fn what_cannot_be_read_is_told() {
    let place = Place::new();
    voc(&place.path("mine"));
    let train = |experiment: &str| format!("train {experiment} {QUICK} --data-dir mine --run-dir run");
    let write = |name: &str, text: &str| fs::write(place.path("mine").join(name), text).unwrap();
    write("Annotations/val_002.xml", "<annotation><size><width>9</width></size></annotation>");
    let due = "val_002.xml: size: expected a height and width from 1 to 16384, found nothing and 9";
    place.fails(&train("detect"), 1, &[due]);
    write("SegmentationClass/train_001.png", "text");
    place.fails(&train("segment"), 1, &["train_001.png: picture: expected PNG, JPEG or WebP"]);
    fs::remove_file(place.path("mine/ImageSets/Main/train.txt")).unwrap();
    place.fails(&train("detect"), 1, &["train.txt", "a list of the pictures to learn from, train.txt or trainval.txt"]);
    assert!(!place.path("run").exists());
}
