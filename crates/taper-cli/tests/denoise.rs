//! `taper train denoise` and `taper denoise`, `taper train sounds`: noise is taken out of recordings of any rate, kinds of sounds are
//! told apart.

#![cfg(feature = "audio")]

mod common;

use common::Place;
use std::fs;
use taper::audio::{Clip, rms};
use taper::nn::RandomKey;
use taper::tasks::metrics::si_snr;

fn result(place: &Place, run: &str, metric: &str) -> f64 {
    let result: serde_json::Value = serde_json::from_str(&place.read(&format!("{run}/result.json"))).unwrap();
    result["test"][metric].as_f64().unwrap_or_else(|| panic!("{result}"))
}

/// A second of a voice that moves between a few tones, and noise as loud.
fn tones(rate: u32) -> [Vec<f32>; 2] {
    let time = |i: u32| i as f32 / rate as f32;
    let tone = |i: u32| {
        let hz = [210.0, 330.0, 270.0, 410.0][(time(i) * 4.0) as usize % 4];
        let open = (time(i) * 8.0 * std::f32::consts::PI).sin().abs();
        (1..6).map(|n| (time(i) * hz * n as f32 * std::f32::consts::TAU).sin() / n as f32).sum::<f32>() * open * 0.1
    };
    let clean: Vec<f32> = (0..rate).map(tone).collect();
    let level = rms(&clean) as f32;
    let noise = (0..rate).map(|i| RandomKey::new(9).normal(i.into()) as f32 * level);
    [clean.clone(), clean.iter().zip(noise).map(|(a, b)| a + b).collect()]
}

#[test]
fn noise_is_taken_out_of_voices_never_heard() {
    let place = Place::new();
    let ran =
        place.ok("train denoise --threads 1 --epochs 6 --set model.channels=32 --set data.seconds=0.6 --run-dir run");
    let told = format!("{}{}", ran.out, ran.err);
    assert!(told.contains("NOT speech") && told.contains("no noises were named: they are generated"), "{ran:?}");
    let gain = result(&place, "run", "gain");
    assert!(gain > 4.0, "{gain}");
    let page = place.read("run/report.html");
    for part in ["Before and after", "By noise", "hum, never heard in training", "spectral subtraction", "best mask"] {
        assert!(page.contains(part), "{part}");
    }

    // Of another rate, by the run alone.
    let [clean, noisy] = tones(16_000);
    Clip { samples: noisy, rate: 16_000 }.save(place.path("noisy.wav")).unwrap();
    let out = place.ok("denoise run noisy.wav clear.wav").out;
    assert_eq!(out, "clear.wav  1.00 s, 8000 samples a second, from 16000\n");
    let left = Clip::open(place.path("clear.wav")).unwrap();
    assert_eq!((left.rate, left.samples.len()), (8000, 8000));
    let at = |samples: &[f32]| Clip { samples: samples.to_vec(), rate: 16_000 }.at_rate(8000).unwrap().samples;
    let before = si_snr(&at(&Clip::open(place.path("noisy.wav")).unwrap().samples), &at(&clean)).unwrap();
    let after = si_snr(&left.samples, &at(&clean)).unwrap();
    assert!(after > before + 3.0, "{before} {after}");

    fs::write(place.path("cut.wav"), &place.bytes("noisy.wav")[..300]).unwrap();
    fs::write(place.path("empty.wav"), "").unwrap();
    place.fails("denoise run cut.wav out.wav", 1, &["cut.wav: damaged WAV: it ends before its samples do"]);
    place.fails("denoise run empty.wav out.wav", 1, &["empty.wav: an empty file"]);
    place.fails("denoise run none.wav out.wav", 1, &["none.wav"]);
    place.fails("denoise run noisy.wav out.mp3", 2, &["OUT.wav: expected a name that ends in .wav, found out.mp3"]);
    place.fails("denoise run noisy.wav nowhere/out.wav", 1, &["nowhere/out.wav"]);
    place.fails("transcribe run noisy.wav", 1, &["this run's task is denoise, expected a run of speech or sounds"]);
    assert!(!place.path("out.wav").exists());
    place.fails("train denoise --set data.least=20.0", 2, &["data.least: expected at most data.most, 10, found 20"]);
}

#[test]
fn kinds_of_sounds_are_told_apart_and_are_noises_too() {
    let place = Place::new();
    let short =
        "--quiet --threads 1 --set model.channels=8 --set data.mels=24 --set data.rate=8000 --set data.seconds=0.8";
    place.ok(&format!("train sounds {short} --epochs 15 --run-dir run"));
    let accuracy = result(&place, "run", "accuracy");
    assert!(accuracy > 0.8, "{accuracy}");
    let page = place.read("run/report.html");
    for part in ["Beside simpler ways", "a linear model of each filter", "always `bell`", "the kind that was heard"] {
        assert!(page.contains(part), "{part}");
    }

    // A folder for each kind, at another rate.
    for (kind, loud) in [("hiss", 1.0), ("buzz", 0.0)] {
        fs::create_dir_all(place.path("kinds").join(kind)).unwrap();
        for number in 0..10_u64 {
            let sample = |i: u64| {
                let buzz = ((i * (40 + number)) % 11_025) as f32 / 11_025.0 - 0.5;
                loud * 0.2 * RandomKey::new(number).normal(i) as f32 + (1.0 - loud) * 0.5 * buzz
            };
            let clip = Clip { samples: (0..5000).map(sample).collect(), rate: 11_025 };
            clip.save(place.path("kinds").join(kind).join(format!("{number}.wav"))).unwrap();
        }
    }
    place.ok(&format!("train sounds {short} --data-dir kinds --epochs 15 --batch-size 4 --run-dir own"));
    let heard = place.ok("transcribe own kinds/hiss/0.wav kinds/buzz/1.wav").out;
    let lines: Vec<&str> = heard.lines().collect();
    assert!(
        lines[0].starts_with("kinds/hiss/0.wav  hiss  ") && lines[1].starts_with("kinds/buzz/1.wav  buzz  "),
        "{heard}"
    );
    let line = "train denoise --noise-dir kinds --quiet --threads 1 --epochs 2 --set model.channels=4 --set data.seconds=0.3 \
                --set data.train_samples=32 --set data.test_samples=12 --run-dir noises";
    place.ok(line);
    let page = place.read("noises/report.html");
    assert!(page.contains("hiss") && page.contains("buzz") && !page.contains("clatter"));

    fs::write(place.path("kinds/hiss/0.wav"), "no sound").unwrap();
    for line in ["train sounds --data-dir kinds", "train denoise --noise-dir kinds"] {
        place.fails(line, 1, &["0.wav: expected a sound file"]);
    }
    fs::create_dir(place.path("nothing")).unwrap();
    let due = "nothing: expected folders of two kinds of sounds or more, KIND/FILE.wav, found none";
    place.fails("train sounds --data-dir nothing", 1, &[due]);
    place.fails("train denoise --noise-dir nothing", 1, &[due]);
    place.fails("train sounds --data-dir nowhere", 1, &["nowhere"]);
}

#[test]
fn killed_runs_go_on_bit_by_bit() {
    let lines = [
        "train denoise --epochs 2 --set model.channels=8 --set data.seconds=0.5 --set data.train_samples=64 \
         --set data.test_samples=20",
        "train sounds --epochs 3 --set model.channels=4 --set data.mels=16 --set data.seconds=0.5 --set data.rate=8000",
    ];
    for line in lines {
        let line = format!("{line} --quiet --threads 1 --set checkpoint.every_steps=2 --set data.workers=2");
        Place::new().ends_as_undisturbed(&line, 4);
    }
}
