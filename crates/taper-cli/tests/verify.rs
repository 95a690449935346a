//! Verification at the command line: embeddings that tell classes apart that were never seen, a run that goes on bit by bit, and
//! the verdict about two pictures.

mod common;

use common::{Place, png};
use std::fs;

/// A run of seconds.
const TRAIN: &str = "train verify --quiet --threads 1 --set task.pairs=400 --set log.tensorboard=false";

#[test]
fn digits_that_were_never_seen_are_told_apart() {
    let place = Place::new();
    // The others, of which 8 and 9 are hard to tell apart in 8 x 8 pixels, are learned from.
    let ran = place.ok(&format!("{TRAIN} --epochs 6 --set task.unseen=['0','4','7'] --run-dir run"));
    let result: serde_json::Value = serde_json::from_str(&place.read("run/result.json")).unwrap();
    let test = |name: &str| result["test"][name].as_f64().unwrap_or_else(|| panic!("{name}: {result}"));
    // By chance it is a half.
    assert!(test("auc") > 0.8 && test("accuracy") > 0.7 && test("tar") > 0.02, "{result}");
    assert!(ran.last_line().starts_with("Test Auc = "), "{ran:?}");
    let spec: serde_json::Value = serde_json::from_str(&place.read("run/spec.json")).unwrap();
    assert_eq!(spec["unseen"], serde_json::json!(["0", "4", "7"]));
    let report = place.read("run/report.html");
    for text in ["ROC of the test pairs", ">pixels<", "Of one class, and farthest", "Of two classes, and nearest"] {
        assert!(report.contains(text), "{text}");
    }
    assert!(["0, 4", "4, 0", "0, 7", "7, 0", "4, 7", "7, 4"].iter().any(|pair| report.contains(pair)));
    let eval = place.ok("eval run");
    assert!(eval.last_line() == ran.last_line() && eval.out.contains("test tar "), "{eval:?}");

    for (name, colour) in [("a.png", [10, 20, 200]), ("b.png", [200, 10, 20])] {
        fs::write(place.path(name), png(colour, 7)).unwrap();
    }
    // Nothing is more alike than a picture and itself.
    let same = place.ok("verify run a.png a.png").out;
    assert!(same.starts_with("of one class: cosine 1.000, threshold 0."), "{same}");
    let found = place.ok("verify run a.png b.png --threshold 1").out;
    assert!(found.starts_with("of two classes: cosine ") && found.ends_with("threshold 1.000\n"), "{found}");
    fs::write(place.path("text.png"), "text").unwrap();
    place.fails("verify run a.png text.png", 1, &["text.png: picture: expected PNG, JPEG or WebP"]);
    place.fails("verify run a.png none.png", 1, &["cannot read none.png: "]);
    place.fails("verify run a.png b.png --threshold 2", 2, &["--threshold: expected a cosine, from -1 to 1, found 2"]);
}

#[test]
fn a_killed_run_goes_on_bit_by_bit() {
    let place = Place::new();
    for task in ["arcface", "triplet"] {
        let line = format!("{TRAIN} --set task.name={task} --epochs 3 --set checkpoint.every_steps=3");
        place.ends_as_undisturbed(&format!("{line} --set data.train_samples=400"), 3);
        // A run has the weights of its task, ArcFace's or not.
        fs::write(place.path("a.png"), png([1, 2, 3], 4)).unwrap();
        assert!(place.ok("verify run a.png a.png").out.contains("cosine 1.000"));
        for run in ["run", "whole"] {
            fs::rename(place.path(run), place.path(&format!("{task}-{run}"))).unwrap();
        }
    }
    assert!(place.bytes("arcface-run/model.safetensors") != place.bytes("triplet-run/model.safetensors"));
}

#[test]
fn what_cannot_be_is_told() {
    let place = Place::new();
    place.fails(&format!("{TRAIN} --run-dir a --set task.unseen=['7','x']"), 2, &["task.unseen: unknown class `x`"]);
    let few = "two or more to be left out, found 9 and 1 of 10";
    place.fails(&format!("{TRAIN} --run-dir b --set task.unseen=['7']"), 2, &[few]);
    place.fails("verify nowhere a.png b.png", 1, &["nowhere: no config.toml here"]);
    place.ok("train digits --quiet --epochs 1 --run-dir digits --set log.report=false --set log.tensorboard=false");
    place.fails("verify digits a.png b.png", 1, &["this run's task is classify, expected a run of verify"]);
}

/// Folders of one's own, one a person, are read as those of a collection are: the weights are the same, bit by bit.
#[test]
fn people_in_folders_are_told_apart() {
    let place = Place::new();
    let people = ["ann", "bob", "cat", "dan", "eve", "fay", "gus", "hal", "ida"];
    let downloads = ".cache/taper/datasets/collections/lfw/lfw";
    for (number, person) in people.iter().enumerate() {
        // Of one who is learned and of one who is left out there is a single picture.
        let count = if [1, 8].contains(&number) { 1 } else { 6 };
        for folder in ["people", downloads] {
            let folder = place.path(folder).join(person);
            fs::create_dir_all(&folder).unwrap();
            for i in 0..count {
                let colour = [20 + 25 * number as u8, 200 - 20 * number as u8, (90 * number % 240) as u8];
                fs::write(folder.join(format!("{i}.png")), png(colour, 7 * i)).unwrap();
            }
        }
    }
    let train = format!("{TRAIN} --epochs 3 --batch-size 8 --set data.size=16");
    let folder = "--set data.name=folder --data-dir people";
    let few = "the validation split: expected two classes of two samples or more to make pairs of, found 4 samples of 6 classes; \
               hold out more (data.validation), or none (data.validation=0)";
    place.fails(&format!("{train} {folder} --run-dir few"), 2, &[few]);
    place.ok(&format!("{train} {folder} --set data.validation=0 --run-dir run"));
    let spec: serde_json::Value = serde_json::from_str(&place.read("run/spec.json")).unwrap();
    assert_eq!(spec["unseen"], serde_json::json!(["gus", "hal", "ida"]));
    let config = place.read("run/config.toml");
    let path = place.path("people").canonicalize().unwrap();
    assert!(config.contains(&format!("dir = \"{}\"", path.display())), "{config}");
    // All pictures of those who are learned: five with six, and one.
    assert!(config.contains("\ntrain = 31\n") && config.contains("people, pictures of 9 classes"), "{config}");
    let ran = place.ok("verify run people/gus/0.png people/gus/0.png").out;
    assert!(ran.starts_with("of one class: cosine 1.000, threshold "), "{ran}");
    assert_eq!(place.ok("eval run").last_line(), place.ok("eval run --data-dir people").last_line());

    place.ok(&format!("{train} --set data.name=lfw --offline --set data.validation=0 --run-dir lfw"));
    assert!(place.bytes("lfw/model.safetensors") == place.bytes("run/model.safetensors"), "other weights");
    let config = place.read("lfw/config.toml");
    assert!(config.contains("Labeled Faces in the Wild, pictures of 9 classes"), "{config}");

    fs::write(place.path("people/hal/3.png"), "no picture").unwrap();
    place.fails(&format!("{train} {folder} --set data.validation=0 --run-dir bad"), 1, &["hal/3.png: "]);
    let skip = "--set data.validation=0 --set data.skip_bad=true --run-dir skipped --epochs 3";
    let ran = place.ok(&format!("{} {folder} {skip}", train.replace(" --quiet", "").replace(" --epochs 3", "")));
    assert!(ran.out.contains("1 file is left out:") && ran.out.contains("hal/3.png: "), "{ran:?}");
}

#[test]
fn folders_that_are_not_named_are_told() {
    let place = Place::new();
    let due =
        "data.dir: expected the folder that holds a folder for each class or person, as in --data-dir DIR, found none";
    place.fails(&format!("{TRAIN} --set data.name=folder --run-dir a"), 2, &[due]);
    let due = ["Labeled Faces in the Wild: expected ", "and the network was not asked (offline); allow the network"];
    place.fails(&format!("{TRAIN} --set data.name=lfw --offline --run-dir b"), 1, &due);
    let due = "data.size: digits has none; it is of folder, lfw";
    place.fails(&format!("{TRAIN} --set data.size=32 --run-dir c"), 2, &[due]);
    let due = "or the collection lfw, found the collection fsdd, which is for `speech`";
    place.fails(&format!("{TRAIN} --set data.name=folder --data-dir fsdd --run-dir d"), 2, &[due]);
    place.fails(&format!("{TRAIN} --set data.name=lfq --run-dir e"), 2, &["unknown dataset `lfq`; did you mean lfw?"]);
}
