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
