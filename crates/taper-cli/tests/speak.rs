//! `taper train speak` and `taper speak`: words are spoken with the voices of recordings, and a recogniser reads them.

#![cfg(feature = "audio")]

mod common;

use common::Place;
use taper::audio::Clip;

#[test]
fn words_are_spoken_and_read() {
    let place = Place::new();
    let quick = "--quiet --threads 1 --set model.channels=8 --lr 5e-3 --set data.noise=0.0";
    place.ok(&format!("train speech {quick} --epochs 12 --batch-size 16 --set data.mels=24 --run-dir reader"));
    place.ok(
        "train speak --quiet --threads 1 --epochs 80 --batch-size 8 --lr 3e-3 --set model.channels=64 --set data.voices=4 --set data.mels=40 \
         --reader reader --run-dir run",
    );
    let page = place.read("run/report.html");
    for part in ["Recorded and spoken", "another recording of the word by the same voice", "Read back"] {
        assert!(page.contains(part), "{part}");
    }
    let out = place.ok("speak run 7 said.wav --voice voice1").out;
    assert!(out.starts_with("said.wav  0.") && out.ends_with(" s, 8000 samples a second\n"), "{out}");
    let heard = place.ok("transcribe reader said.wav").out;
    assert!(heard.starts_with("said.wav  seven  "), "{heard}");

    // Words are named by number or name, one behind the other.
    let one = place.command("speak run").args(["seven two 4", "more.wav"]).output().unwrap();
    assert!(one.status.success(), "{one:?}");
    let [short, long] = ["said.wav", "more.wav"].map(|name| Clip::open(place.path(name)).unwrap());
    assert!(long.seconds() > 2.0 * short.seconds());
    assert!(long.samples.iter().any(|x| x.abs() > 0.6));

    place.fails("speak run ten out.wav", 2, &["unknown word `ten`", "known: zero, one, two"]);
    place.fails("speak run one out.wav --voice anna", 2, &["unknown voice `anna`", "voice0"]);
    place.fails("speak run one out.mp3", 2, &["OUT.wav: expected a name that ends in .wav, found out.mp3"]);
    place.fails("denoise run said.wav out.wav", 1, &["this run's task is speak, expected a run of denoise"]);
    place.fails("train speak --reader run", 1, &["this run's task is speak, expected a run of speech or sounds"]);
    place.fails(
        "train speak --set data.validation=0.1",
        2,
        &["data.validation: recordings of the voices are held out"],
    );
    assert!(!place.path("out.wav").exists());
}

#[test]
fn a_killed_run_goes_on_bit_by_bit() {
    let line = "train speak --quiet --threads 1 --epochs 3 --set model.channels=8 --set data.voices=4 --set data.mels=16 \
                --set checkpoint.every_steps=2 --set data.workers=2";
    Place::new().ends_as_undisturbed(line, 4);
}
