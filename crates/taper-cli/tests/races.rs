//! Commands that are started at once in one folder: one wins, the other says so, and neither removes what is not its own.

#![cfg(unix)]

mod common;

use common::{Place, Ran, losses};
use std::process::Stdio;

/// Starts all of `lines` at once.
fn at_once(place: &Place, lines: &[&str]) -> Vec<Ran> {
    let start = |line: &&str| place.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let children: Vec<_> = lines.iter().map(start).collect();
    children.into_iter().map(|child| Ran::from(child.wait_with_output().unwrap())).collect()
}

const BUSY: &[&str] = &["this run is being trained already", "the run folder holds files already"];

#[test]
fn of_two_runs_in_one_folder_one_wins() {
    let place = Place::new();
    let train = "train digits --quiet --threads 1 --max-steps 2 --set data.train_samples=128 \
                 --set data.test_samples=50 --set log.report=false --set log.tensorboard=false";
    for (number, flags) in ["--run-dir", "--resume"].iter().cycle().take(20).enumerate() {
        let (line, run) = (format!("{train} {flags} race-{number}"), format!("race-{number}"));
        let ran = at_once(&place, &[&line, &line]);
        let won = ran.iter().filter(|ran| ran.code == 0).count();
        // Who comes when the first has ended resumes what is finished.
        assert!(won == 1 || (won == 2 && *flags == "--resume"), "{ran:?}");
        for lost in ran.iter().filter(|ran| ran.code != 0) {
            assert!(BUSY.iter().any(|busy| lost.err.contains(busy)), "{lost:?}");
        }
        assert!(place.path(&run).join("model.safetensors").is_file() && place.path(&run).join("result.json").is_file());
        assert!(losses(&place.read(&format!("{run}/metrics.jsonl"))).is_empty(), "log_every is 10");
    }
}

/// A run that fails beside another that does not takes nothing with it.
#[test]
fn a_run_that_fails_leaves_the_other_alone() {
    let place = Place::new();
    let good = "train digits --quiet --threads 1 --max-steps 2 --set data.train_samples=128 --set data.test_samples=50 \
                --set log.report=false --set log.tensorboard=false --resume";
    for number in 0..10 {
        let good = format!("{good} race-{number}");
        let bad = format!("train cifar --quiet --data-dir nowhere --resume race-{number}");
        let ran = at_once(&place, &[&bad, &good]);
        assert_ne!(ran[0].code, 0);
        match ran[1].code {
            0 => assert!(place.path(&format!("race-{number}/model.safetensors")).is_file()),
            _ => {
                // The other had taken the folder just then, or had begun to.
                let told = BUSY.iter().chain(&["is a run of cifar"]).any(|busy| ran[1].err.contains(busy));
                assert!(told, "{:?}", ran[1]);
                place.ok(&good);
            }
        }
    }
    // What was there before, and is empty, stays too.
    std::fs::create_dir(place.path("mine")).unwrap();
    place.fails("train cifar --quiet --data-dir nowhere --run-dir mine", 1, &["nowhere"]);
    assert_eq!(std::fs::read_dir(place.path("mine")).unwrap().count(), 0);
    place.fails("train cifar --quiet --data-dir nowhere --run-dir new", 1, &["nowhere"]);
    assert!(!place.path("new").exists());
}

#[test]
fn of_two_searches_in_one_folder_one_wins() {
    let place = Place::new();
    std::fs::write(place.path("space.toml"), "optimizer.lr = { log = [1e-3, 1e-1] }").unwrap();
    for number in 0..5 {
        let line = format!(
            "tune digits --space space.toml --trials 1 --max-epochs 1 --threads 1 --quiet --dir search-{number} --set \
             data.train_samples=200 --set data.validation=0.2 --set log.tensorboard=false"
        );
        let ran = at_once(&place, &[&line, &line]);
        assert!(ran.iter().any(|ran| ran.code == 0), "{ran:?}");
        for lost in ran.iter().filter(|ran| ran.code != 0) {
            assert!(lost.err.contains("this search is under way already"), "{lost:?}");
        }
        let ledger = place.read(&format!("search-{number}/ledger.toml"));
        assert_eq!(ledger.matches("[[result]]").count(), 1, "{ledger}");
    }
}
