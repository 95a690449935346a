//! `taper train speech` and `taper transcribe`: words are told apart, of voices never heard, from files of any rate.

#![cfg(feature = "audio")]

mod common;

use common::Place;
use std::fs;
use taper::audio::Clip;

/// A run of a few seconds.
const SHORT: &str = "--quiet --threads 1 --epochs 30 --batch-size 8 --lr 5e-3 --set model.channels=8 --set data.mels=24 \
                     --set data.seconds=0.6";

/// A word of two tones of a voice's own pitch: rising for 0, falling for 1.
fn word(class: usize, pitch: f32, rate: u32) -> Clip {
    let length = rate / 3;
    let mut phase = 0.0;
    let sample = |i: u32| {
        let later = (i > length / 2) == (class == 0);
        phase += pitch * if later { 4.0 } else { 2.0 } / rate as f32;
        (phase * std::f32::consts::TAU).sin() * 0.4
    };
    Clip { samples: (0..length).map(sample).collect(), rate }
}

/// Recordings of two words by `voices` voices, in 16,000 samples a second.
fn recordings(place: &Place, dir: &str, voices: usize) {
    fs::create_dir_all(place.path(dir)).unwrap();
    for voice in 0..voices {
        for class in [0, 1] {
            for take in 0..4 {
                let pitch = 150.0 + 25.0 * voice as f32 + 3.0 * take as f32;
                let path = place.path(dir).join(format!("{class}_voice{voice}_{take}.wav"));
                word(class, pitch, 16_000).save(path).unwrap();
            }
        }
    }
}

fn accuracy(place: &Place, run: &str) -> f64 {
    let result: serde_json::Value = serde_json::from_str(&place.read(&format!("{run}/result.json"))).unwrap();
    result["test"]["accuracy"].as_f64().unwrap_or_else(|| panic!("{result}"))
}

#[test]
fn recordings_are_learned_and_heard_at_any_rate() {
    let place = Place::new();
    recordings(&place, "words", 10);
    place.ok(&format!("train speech --data-dir words --run-dir run {SHORT}"));
    assert!(accuracy(&place, "run") > 0.9, "{}", accuracy(&place, "run"));
    let page = place.read("run/report.html");
    for part in ["Heard", "Log-mel spectrograms of test recordings", "By voice", "Confusion matrix"] {
        assert!(page.contains(part), "{part}");
    }

    // Voices and rates that were never heard, one longer than what the network sees.
    let mut samples = vec![0.0; 88_200];
    samples.extend(word(1, 333.0, 44_100).samples);
    Clip { samples, rate: 44_100 }.save(place.path("falling.wav")).unwrap();
    word(0, 333.0, 22_050).save(place.path("rising.wav")).unwrap();
    let heard = place.ok("transcribe run falling.wav rising.wav").out;
    let lines: Vec<&str> = heard.lines().collect();
    assert!(lines[0].starts_with("falling.wav  one  ") && lines[1].starts_with("rising.wav   zero  "), "{heard}");
    let json: serde_json::Value = serde_json::from_str(&place.ok("transcribe run falling.wav --json").out).unwrap();
    assert_eq!((&json[0]["text"], json[0]["seconds"].as_f64().map(|s| s > 2.0)), (&"one".into(), Some(true)));

    // What is broken is named, and the others are heard.
    fs::write(place.path("cut.wav"), &place.bytes("rising.wav")[..300]).unwrap();
    place.fails("transcribe run cut.wav", 1, &["cut.wav: damaged WAV: it ends before its samples do"]);
    let ran = place.run("transcribe run cut.wav rising.wav");
    assert!(ran.code == 1 && ran.out.contains("rising.wav") && ran.err.contains("1 of 2 files"), "{ran:?}");
    place.fails("predict run rising.wav", 1, &["this run's task is speech, expected a run of classify or regress"]);

    // From another folder the same figure.
    fs::rename(place.path("words"), place.path("moved")).unwrap();
    place.ok("eval run --quiet --data-dir moved");
}

#[test]
fn without_recordings_sounds_are_generated_and_said_to_be() {
    let place = Place::new();
    let ran = place
        .ok("train speech --threads 1 --epochs 8 --batch-size 16 --set model.channels=8 --set data.mels=24 --lr 5e-3 --run-dir run");
    let told = format!("{}{}", ran.out, ran.err);
    assert!(told.contains("generated sounds") && told.contains("NOT speech"), "{ran:?}");
    // A word of ten by chance.
    assert!(accuracy(&place, "run") > 0.4, "{}", accuracy(&place, "run"));
    assert!(place.read("run/report.html").contains("generated vowels, not speech"));
}

#[test]
fn what_is_no_recording_is_named() {
    let place = Place::new();
    recordings(&place, "words", 3);
    fs::write(place.path("words/0_voice1_2.wav"), b"RIFF....").unwrap();
    place.fails("train speech --data-dir words", 1, &["0_voice1_2.wav", "damaged WAV"]);
    fs::write(place.path("words/0_voice1_2.wav"), b"").unwrap();
    place.fails("train speech --data-dir words", 1, &["0_voice1_2.wav: an empty file"]);
    fs::write(place.path("words/0_voice1_2.wav"), b"some text").unwrap();
    place.fails("train speech --data-dir words", 1, &["0_voice1_2.wav: expected a sound file"]);
    place.fails("train speech --data-dir nowhere", 1, &["nowhere"]);
    fs::remove_file(place.path("words/0_voice1_2.wav")).unwrap();
    fs::rename(place.path("words/0_voice1_1.wav"), place.path("words/zero.wav")).unwrap();
    place.fails("train speech --data-dir words", 1, &["zero.wav: expected a name such as 7_anna_0.wav"]);
}

#[test]
fn strings_of_words_are_written_down() {
    let place = Place::new();
    recordings(&place, "words", 10);
    place.ok(
        "train speech --recipe strings --data-dir words --run-dir run --quiet --threads 1 --epochs 60 --batch-size 4 --lr 5e-3 \
         --set data.masks=0 --set model.dropout=0.0 --set model.channels=8 --set model.hidden=32 --set data.mels=24 \
         --set data.strings=20 --set data.most=4",
    );
    let result: serde_json::Value = serde_json::from_str(&place.read("run/result.json")).unwrap();
    let wer = result["test"]["wer"].as_f64().unwrap_or_else(|| panic!("{result}"));
    assert!(wer < 0.2, "{wer}");
    assert!(place.read("run/report.html").contains("Log-mel spectrograms of test strings"));

    let mut samples = vec![0.0; 1600];
    for class in [0, 1, 1, 0, 1] {
        samples.extend(word(class, 260.0, 16_000).samples);
        samples.resize(samples.len() + 2400, 0.0);
    }
    Clip { samples, rate: 16_000 }.save(place.path("said.wav")).unwrap();
    let heard = place.ok("transcribe run said.wav").out;
    assert!(heard.starts_with("said.wav  zero one one zero one  "), "{heard}");

    let told = ["--set model.name=mel-cnn", "--set task.name=words"];
    for more in told {
        let line = format!("train speech --recipe strings --data-dir words {more}");
        place.fails(&line, 2, &["model.name: mel-crnn is the model of task.name=strings"]);
    }
    place.fails("train speech --recipe strings --set data.least=9", 2, &["data.least: expected at most data.most, 6"]);
}

#[test]
fn a_killed_run_goes_on_bit_by_bit() {
    let place = Place::new();
    let line = "train speech --quiet --threads 1 --epochs 3 --set model.channels=4 --set data.mels=16 \
                --set data.train_samples=96 --set checkpoint.every_steps=2 --set data.workers=2";
    place.ends_as_undisturbed(line, 4);
}
