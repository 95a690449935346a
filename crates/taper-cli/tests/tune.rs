//! `taper tune` on the digits.

mod common;

use common::Place;
use std::fs;

const SPACE: &str = "\"optimizer.lr\" = { log = [1e-5, 1e-1] }\ntrain.batch_size = { choice = [64, 128] }\n";

fn place() -> Place {
    let place = Place::new();
    fs::write(place.path("space.toml"), SPACE).unwrap();
    place
}

#[test]
fn values_are_found_on_the_digits_and_again_after_an_end() {
    let place = place();
    let line = "tune digits --space space.toml --trials 9 --max-epochs 4 --eta 2 --seed 1";
    let ran = place.ok(line);
    assert_eq!(ran.err, "");
    let first = ran.out.lines().next().unwrap();
    assert_eq!(
        first,
        "9 trials over optimizer.lr, train.batch_size, measured after 1, 2, 4 epochs; in runs/tune-digits"
    );
    assert_eq!(ran.out.matches("handwritten digits").count(), 1, "which data, told once: {}", ran.out);
    assert!(ran.out.contains("%; optimizer.lr="), "accuracies have their unit: {}", ran.out);
    assert!(ran.out.contains("rank  trial  epochs"), "{}", ran.out);
    let jobs = |out: &str| out.lines().filter(|line| line.starts_with("trial ")).count();
    let csv = place.read("runs/tune-digits/results.csv");
    assert_eq!(csv.lines().count(), 10);
    let best: Vec<&str> = csv.lines().nth(1).unwrap().split(',').collect();
    assert_eq!((best[0], best[2]), ("1", "4"));

    // What `runs` tells of trials agrees: those that reached the last rung are finished, the others could go on.
    let states: Vec<(bool, bool)> = place
        .ok("runs runs/tune-digits")
        .out
        .lines()
        .skip(1)
        .map(|line| (line.contains(" finished "), line.contains(" paused ")))
        .collect();
    let to_the_end = csv.lines().filter(|line| line.split(',').nth(2) == Some("4")).count();
    assert_eq!(states.iter().filter(|state| state.0).count(), to_the_end);
    assert_eq!(states.iter().filter(|state| state.1).count(), 9 - to_the_end);

    // The line at the end trains the same run: the same numbers come out.
    let command = ran.last_line().strip_prefix("taper ").unwrap();
    assert!(command.starts_with("train digits --set train.epochs=4 --set "), "{command}");
    let again = place.ok(&format!("{command} --run-dir again"));
    let metrics = place.read("again/metrics.jsonl");
    let last: Vec<_> = common::lines(&metrics).into_iter().filter(|line| line.get("epoch").is_some()).collect();
    let accuracy: f64 = best[4].parse().unwrap();
    // The reader of JSON may be one unit in the last place off.
    assert!((last[3]["validation_accuracy"].as_f64().unwrap() - accuracy).abs() < 1e-15, "{again:?}");

    // The same command, when all is done, trains nothing. After a kill between the end of a job and its entry, that
    // entry is found again.
    let ledger = place.read("runs/tune-digits/ledger.toml");
    let done = place.ok(line);
    assert_eq!(jobs(&done.out), 0);
    assert_eq!(done.last_line(), ran.last_line());
    let (before, _) = ledger.rsplit_once("\n[[result]]\n").unwrap();
    assert_eq!(ledger.matches("[[result]]").count(), jobs(&ran.out));
    fs::write(place.path("runs/tune-digits/ledger.toml"), before).unwrap();
    let rest = place.ok(&format!("{line} --threads 1"));
    assert!(rest.out.contains(" jobs are done already; the search goes on from there"), "{}", rest.out);
    assert_eq!(jobs(&rest.out), 1);
    assert_eq!(place.read("runs/tune-digits/ledger.toml"), ledger);
    assert_eq!(place.ok(&format!("{line} --quiet")).out, format!("{}\n", ran.last_line()));
}

#[test]
fn random_search_trains_each_to_the_end_and_a_failure_comes_last() {
    let place = place();
    fs::write(place.path("space.toml"), "optimizer.lr = { choice = [0.01, 1e37] }").unwrap();
    let line = "tune digits --space space.toml --method random --trials 4 --max-epochs 2 --dir s";
    let ran = place.ok(line);
    let rows: Vec<Vec<String>> =
        place.read("s/results.csv").lines().skip(1).map(|line| line.split(',').map(str::to_string).collect()).collect();
    assert_eq!((rows[0][2].as_str(), rows[0][6].as_str()), ("2", "0.01"), "{rows:?}");
    assert!(rows[3][5].contains("became NaN or infinite at step "), "{rows:?}");
    assert!(ran.out.contains("failed: "), "{}", ran.out);
    assert!(ran.out.starts_with("4 trials over optimizer.lr, measured after 2 epochs; in s\n"), "{}", ran.out);
}

/// A recipe's groups do not fit every model: that is told of the trial, and the search goes on.
#[test]
fn a_trial_whose_values_do_not_go_together_fails_alone() {
    let place = place();
    fs::write(place.path("space.toml"), "model = { choice = [\"resnet18\", \"seed-cnn\"] }").unwrap();
    let small =
        "--offline --set data.train_samples=40 --set data.test_samples=10 --set data.validation=0.1 --batch-size 18";
    let line = format!("tune cifar --recipe resnet18 {small} --space space.toml --trials 4 --max-epochs 1 --dir s");
    let ran = place.ok(&line);
    assert!(ran.out.contains(": failed: groups: no parameter is left that matches \"*bn*\""), "{}", ran.out);
    assert_eq!(ran.out.matches("NOT CIFAR-10").count(), 1, "{}", ran.out);
    let csv = place.read("s/results.csv");
    let models: Vec<(bool, bool)> =
        csv.lines().skip(1).map(|line| (line.contains("*bn*"), line.ends_with(",seed-cnn"))).collect();
    assert!(models.len() == 4 && models.iter().all(|(failed, seed_cnn)| failed == seed_cnn), "{csv}");
    assert!(models.iter().any(|model| model.0) && models.iter().any(|model| !model.0), "{csv}");
    assert!(ran.last_line().ends_with(" --offline"), "{}", ran.last_line());
    assert_eq!(place.ok(&line).last_line(), ran.last_line());
}

/// Early stopping keeps the weights of the best epoch.
#[test]
fn with_early_stopping_a_trial_counts_by_its_best_epoch() {
    let place = place();
    fs::write(place.path("space.toml"), "optimizer.lr = { choice = [0.05] }").unwrap();
    let line = "tune digits --space space.toml --method random --trials 1 --max-epochs 12 --dir s";
    place.ok(&format!("{line} --set regularization.patience=3 --set checkpoint.monitor=loss"));
    let losses: Vec<f64> = common::lines(&place.read("s/trial-001/metrics.jsonl"))
        .iter()
        .filter_map(|line| line["validation_loss"].as_f64())
        .collect();
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(best < losses[losses.len() - 1], "the best epoch was the last: nothing is seen of it: {losses:?}");
    let csv = place.read("s/results.csv");
    let loss: f64 = csv.lines().nth(1).unwrap().split(',').nth(3).unwrap().parse().unwrap();
    assert!((loss - best).abs() < 1e-12, "{loss} {losses:?}");
}

#[test]
fn what_is_wrong_is_told() {
    let place = place();
    let wrong = |flags: &str, texts: &[&str]| place.fails(&format!("tune digits --space space.toml {flags}"), 2, texts);
    wrong("--trials 0", &["error: --trials: expected an integer from 1 to 2^63 - 1, found 0", "hint: "]);
    wrong("--trials -1", &["--trials"]);
    wrong("--eta 1", &["error: --eta: expected an integer from 2"]);
    wrong("--min-epochs 30", &["error: --min-epochs: expected an integer from 1 to the most, 20, found 30"]);
    wrong("--method grid", &["'grid'", "asha, random"]);
    wrong("--set train.epoch=3", &["unknown key `train.epoch`; did you mean train.epochs"]);
    wrong("--set device.name=cup", &["unknown device `cup`"]);
    wrong("--recipe fast94", &["digits has no recipes"]);
    wrong(
        "--lr 0",
        &["error: --lr: expected a number from 1e-37 to 1e37, found 0", "hint: `taper tune digits --help`"],
    );
    place.fails("tune digitss --space space.toml", 2, &["'digitss'", "'digits'"]);
    place.fails("tune digits", 2, &["--space"]);
    place.fails("tune digits --space none.toml", 1, &["cannot read none.toml"]);
    fs::write(place.path("bad.toml"), "optimizer.lrr = { log = [1, 2] }").unwrap();
    place.fails(
        "tune digits --space bad.toml",
        2,
        &["bad.toml: unknown key `optimizer.lrr`; did you mean optimizer.lr"],
    );

    fs::write(place.path("bad.toml"), "\"data.validation\" = { choice = [0.0, 0.1] }").unwrap();
    place.fails(
        "tune digits --space bad.toml",
        2,
        &["bad.toml: data.validation: trials are compared on one validation"],
    );
    place.fails(
        "tune digits --space space.toml --set data.validation=0.0001 --trials 2 --dir refused",
        1,
        &["error: every trial failed, the last so: data.validation: 0.0001 of 1437 samples leaves 0 to validate on"],
    );

    place.ok("tune digits --space space.toml --trials 1 --max-epochs 1 --dir s");
    let line = "tune digits --space space.toml --trials 2 --max-epochs 1 --dir s";
    place.fails(line, 2, &["ledger.toml is of another search: --trials is `1` there and `2` here; "]);
    assert!(place.path("runs").read_dir().is_err(), "a request that cannot be followed makes no folder");
}

#[test]
fn every_flag_is_explained_with_its_default() {
    let help = Place::new().ok("tune cifar --help").out;
    let (flags, keys) = help.split_once("Recipes:").unwrap();
    // All but --space, which has none; and --verbose.
    let count = flags.lines().filter(|line| line.starts_with("      --")).count();
    assert_eq!(flags.matches("[default: ").count(), count, "{help}");
    assert!(["--epochs", "--max-steps", "--run-dir", "--resume"].iter().all(|flag| !flags.contains(flag)), "{help}");
    assert!(flags.contains("--batch-size <N>") && keys.contains("  optimizer.lr "), "{help}");
}

/// Starts the program and waits until it has told of `jobs` jobs, or ended.
#[cfg(unix)]
fn started(place: &Place, line: &str, jobs: usize) -> std::process::Child {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let mut child = place.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines().map(Result::unwrap);
    lines.filter(|line| line.starts_with("trial ")).take(jobs).for_each(drop);
    child
}

#[test]
#[cfg(unix)]
fn a_killed_search_ends_as_if_it_never_was() {
    let place = place();
    let line = "tune digits --space space.toml --trials 18 --max-epochs 9 --dir";
    place.ok(&format!("{line} whole"));
    for jobs in [1, 2, 4] {
        // Twice, the second time a continued one.
        for jobs_now in [jobs, 1] {
            let mut child = started(&place, &format!("{line} {jobs}"), jobs_now);
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let last = place.ok(&format!("{line} {jobs}"));
        for name in ["ledger.toml", "results.csv", "results.svg"] {
            let read = |dir: &str| place.read(&format!("{dir}/{name}"));
            assert_eq!(read(&jobs.to_string()), read("whole"), "{last:?}");
        }
    }
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_a_search_with_130_and_says_how_it_goes_on() {
    let place = place();
    let line = "tune digits --space space.toml --trials 1000000 --max-epochs 1";
    let child = started(&place, line, 1);
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let ran = common::Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 130, "{ran:?}");
    ran.is_clean();
    let done = place.read("runs/tune-digits/ledger.toml").matches("[[result]]").count();
    let due =
        format!("stopped; what {done} jobs found is in runs/tune-digits, and the same command continues the search\n");
    assert_eq!(ran.err, due);
}
