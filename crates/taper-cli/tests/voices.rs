//! `taper train voices`, and `taper verify` on recordings: voices that were never heard are told apart, and a run goes on bit by bit.

#![cfg(feature = "audio")]

mod common;

use common::Place;
use std::fs;
use taper::audio::Clip;

/// A run of seconds, on generated sounds.
const TRAIN: &str = "train voices --quiet --threads 1 --set model.channels=8 --set task.pairs=400 --set data.masks=0 --set data.noise=0 \
                     --set data.validation=0 --set log.tensorboard=false";

/// A tone of 0.3 s.
fn tone(pitch: f32, rate: u32) -> Clip {
    let sample = |i: u32| (i as f32 * pitch / rate as f32 * std::f32::consts::TAU).sin() * 0.4;
    Clip { samples: (0..rate * 3 / 10).map(sample).collect(), rate }
}

#[test]
fn voices_that_were_never_heard_are_told_apart() {
    let place = Place::new();
    let ran = place.ok(&format!("{TRAIN} --epochs 10 --run-dir run"));
    assert!(ran.last_line().ends_with("% (generated vowels, not speech)"), "{ran:?}");
    let result: serde_json::Value = serde_json::from_str(&place.read("run/result.json")).unwrap();
    let test = |name: &str| result["test"][name].as_f64().unwrap_or_else(|| panic!("{name}: {result}"));
    // By chance it is a half; three seeds reach 0.82 to 0.87.
    assert!(test("auc") > 0.75 && test("accuracy") > 0.65, "{result}");
    let report = place.read("run/report.html");
    assert!(report.contains("ROC of the test pairs") && report.contains("Of one class, and farthest"));
    assert_eq!(place.ok("eval run").last_line(), ran.last_line());

    tone(150.0, 16_000).save(place.path("low.wav")).unwrap();
    tone(700.0, 44_100).save(place.path("high.wav")).unwrap();
    // Nothing is more alike than a recording and itself.
    let same = place.ok("verify run low.wav low.wav").out;
    assert!(same.starts_with("of one voice: cosine 1.000, threshold "), "{same}");
    let found = place.ok("verify run low.wav high.wav --threshold 1").out;
    assert!(found.starts_with("of two voices: cosine ") && found.ends_with("threshold 1.000\n"), "{found}");
    fs::write(place.path("text.wav"), "text").unwrap();
    place.fails("verify run low.wav text.wav", 1, &["text.wav"]);
    place.fails("verify run low.wav none.wav", 1, &["none.wav"]);
    place.fails("transcribe run low.wav", 1, &["this run's task is voices, expected a run of speech"]);
}

#[test]
fn a_killed_run_goes_on_bit_by_bit() {
    let place = Place::new();
    let line = format!("{TRAIN} --epochs 3 --set checkpoint.every_steps=2 --set data.workers=2");
    place.ends_as_undisturbed(&format!("{line} --set data.train_samples=100"), 3);
}

#[test]
fn what_cannot_be_is_told() {
    let place = Place::new();
    place.fails(&format!("{TRAIN} --data-dir nowhere --run-dir a"), 1, &["nowhere"]);
    fs::create_dir(place.path("one")).unwrap();
    for take in 0..2 {
        for word in ["a", "b"] {
            tone(200.0, 8000).save(place.path(&format!("one/{word}_anna_{take}.wav"))).unwrap();
        }
    }
    place.fails(
        &format!("{TRAIN} --data-dir one --run-dir b"),
        2,
        &["data.test: 0.2 of 1 voices leaves 1 held out and 0 to learn from"],
    );
}
