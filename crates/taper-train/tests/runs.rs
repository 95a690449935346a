//! Runs are listed and compared by what their folders hold.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};
use taper_train::runs::{Run, State, differences, list, named};

const STEP: &str = "{\"step\":10,\"loss\":2.25,\"lr\":0.1}\n";
const END: &str = "{\"test_loss\":0.5,\"test_accuracy\":0.75,\"seconds\":1.5}\n";

fn config(experiment: &str, lr: &str, seed: u32) -> String {
    format!(
        "model = \"mlp\"\n[train]\nepochs = 3\nseed = {seed}\n[optimizer]\nlr = {lr}\nbetas = [0.9, 0.999]\n\
         [record]\nexperiment = \"{experiment}\"\nstarted = \"2026-11-23T15:30:12Z\"\nparameters = 7\n"
    )
}

fn epoch(number: u32, loss: f64, accuracy: f64) -> String {
    format!(
        "{{\"epoch\":{number},\"train_loss\":1.5,\"validation_loss\":{loss},\"validation_accuracy\":{accuracy},\
         \"images_per_s\":800.5,\"seconds\":10.25,\"later\":[1]}}\n"
    )
}

/// A folder of a run whose metrics were last written to an hour ago.
fn make(root: &Path, name: &str, config: &str, metrics: &str) {
    let folder = root.join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.toml"), config).unwrap();
    fs::write(folder.join("metrics.jsonl"), metrics).unwrap();
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    for file in ["config.toml", "metrics.jsonl"] {
        File::options().write(true).open(folder.join(file)).unwrap().set_modified(hour_ago).unwrap();
    }
}

fn only(root: &Path, name: &str) -> Run {
    named(root, &[name.to_string()]).unwrap().remove(0)
}

#[test]
fn a_finished_run_is_read_whole() {
    let root = tempfile::tempdir().unwrap();
    let metrics = [STEP, &epoch(1, 0.75, 0.5), &epoch(2, 0.5, 0.875), &epoch(3, 0.625, 0.75), END].concat();
    make(root.path(), "a", &config("digits", "0.01", 1), &metrics);
    let run = only(root.path(), "a");
    assert_eq!((run.name.as_str(), run.state, &run.problem), ("a", State::Finished, &None));
    assert_eq!((run.experiment.as_deref(), run.model.as_deref()), (Some("digits"), Some("mlp")));
    assert_eq!(run.started.as_deref(), Some("2026-11-23T15:30:12Z"));
    assert_eq!((run.epochs, run.epochs_set, run.steps), (3, Some(3), 10));
    let value = |split, metric| run.value(split, metric).unwrap();
    assert_eq!([value("best_validation", "accuracy"), value("best_validation", "loss")], [0.875, 0.5]);
    assert_eq!([value("test", "accuracy"), value("test", "loss"), value("train", "loss")], [0.75, 0.5, 1.5]);
    // Of before the configuration recorded its metrics: that of a classifier.
    assert_eq!((run.metrics[1].name.as_str(), run.monitor.as_str()), ("accuracy", "accuracy"));
    assert_eq!((run.samples_per_s, run.seconds), (Some(800.5), 3.0 * 10.25 + 1.5));
    assert_eq!(run.settings["optimizer.betas"], "[0.9, 0.999]");
    assert!(!run.settings.keys().any(|key| key.starts_with("record")));
}

/// What is better is as the run recorded it, for whatever metrics there are.
#[test]
fn the_best_is_by_each_metrics_direction() {
    let root = tempfile::tempdir().unwrap();
    let recorded = config("sine", "0.01", 1)
        + "monitor = \"r2\"\n[[record.metrics]]\nname = \"loss\"\nunit = \"\"\nhigher = false\n\
           [[record.metrics]]\nname = \"r2\"\nunit = \"\"\nhigher = true\n\
           [[record.metrics]]\nname = \"rmse\"\nunit = \"°C\"\nhigher = false\n";
    let epoch = |number, r2, rmse| {
        format!(
            "{{\"epoch\":{number},\"train_loss\":1.0,\"validation_loss\":{rmse},\"validation_r2\":{r2},\
             \"validation_rmse\":{rmse},\"samples_per_s\":9.0,\"seconds\":1.0}}\n"
        )
    };
    // Measured within an epoch: no epoch's.
    let within = "{\"step\":9,\"validation_loss\":0.25,\"validation_r2\":0.9,\"validation_rmse\":0.1}\n";
    let end = "{\"test_loss\":0.5,\"test_r2\":0.5,\"test_rmse\":3.0,\"seconds\":1.5}\n";
    let metrics = [&epoch(1, -0.5, 4.0), within, &epoch(2, 0.75, 2.0), &epoch(3, 0.5, 3.0), end].concat();
    make(root.path(), "a", &recorded, &metrics);
    let run = only(root.path(), "a");
    assert_eq!((run.state, run.monitor.as_str(), run.steps), (State::Finished, "r2", 9));
    assert_eq!(run.metrics.iter().map(|metric| metric.name.as_str()).collect::<Vec<_>>(), ["loss", "r2", "rmse"]);
    let best = ["loss", "r2", "rmse"].map(|name| run.value("best_validation", name));
    assert_eq!(best, [Some(2.0), Some(0.75), Some(2.0)]);
    assert_eq!(run.value("test", "rmse"), Some(3.0));
    assert_eq!(run.value("test", "accuracy"), None);
}

#[test]
fn the_state_is_what_the_last_line_and_the_time_tell() {
    let root = tempfile::tempdir().unwrap();
    let config = config("digits", "0.01", 1);
    let stopped = [STEP, "{\"stopped\":true}\n"].concat();
    let resumed = [&stopped, END, STEP].concat();
    let cut = [STEP, &END[..20]].concat();
    let unread = [END, &STEP[..20]].concat();
    for (name, metrics, state) in [
        ("stopped", stopped.as_str(), State::Stopped),
        ("resumed", &resumed, State::Unfinished),
        ("cut", &cut, State::Unfinished),
        ("unread", &unread, State::Unfinished),
        ("empty", "", State::Unfinished),
        ("no-validation", &["{\"epoch\":1,\"train_loss\":2}\n", END].concat(), State::Finished),
    ] {
        make(root.path(), name, &config, metrics);
        let run = only(root.path(), name);
        assert_eq!((run.state, run.problem), (state, None), "{name}");
    }
    // The same, written to just now.
    fs::write(root.path().join("cut/metrics.jsonl"), &cut).unwrap();
    assert_eq!(only(root.path(), "cut").state, State::Running);
    fs::write(root.path().join("stopped/metrics.jsonl"), &stopped).unwrap();
    assert_eq!(only(root.path(), "stopped").state, State::Stopped);
    // Before the first line.
    fs::remove_file(root.path().join("empty/metrics.jsonl")).unwrap();
    assert_eq!(only(root.path(), "empty").state, State::Unfinished);
    fs::write(root.path().join("empty/config.toml"), &config).unwrap();
    assert_eq!(only(root.path(), "empty").state, State::Running);
}

#[test]
fn a_run_is_running_while_a_process_holds_its_lock() {
    let root = tempfile::tempdir().unwrap();
    make(root.path(), "a", &config("digits", "0.01", 1), STEP);
    fs::create_dir(root.path().join("a/checkpoints")).unwrap();
    let lock = File::create(root.path().join("a/checkpoints/lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(only(root.path(), "a").state, State::Running);
    drop(lock);
    // Killed a moment ago.
    fs::write(root.path().join("a/metrics.jsonl"), STEP).unwrap();
    assert_eq!(only(root.path(), "a").state, State::Unfinished);
    fs::remove_file(root.path().join("a/metrics.jsonl")).unwrap();
    assert_eq!(only(root.path(), "a").state, State::Unfinished);
}

#[test]
fn trials_are_paused_where_a_search_left_them_and_finished_at_its_end() {
    let root = tempfile::tempdir().unwrap();
    let config = config("digits", "0.01", 1);
    let epochs = |n| (1..=n).map(|i| [STEP, &epoch(i, 0.5, 0.5)].concat()).collect::<String>();
    for (name, metrics, in_search, alone) in [
        ("trial-001", epochs(1), State::Paused, State::Unfinished),
        ("trial-002", epochs(3), State::Finished, State::Unfinished),
        ("trial-003", epochs(1) + STEP, State::Unfinished, State::Unfinished),
        ("trial-004", epochs(1) + &STEP[..20], State::Unfinished, State::Unfinished),
    ] {
        make(root.path(), name, &config, &metrics);
        assert_eq!(only(root.path(), name).state, alone, "{name}");
        fs::write(root.path().join("ledger.toml"), "").unwrap();
        assert_eq!(only(root.path(), name).state, in_search, "{name}");
        assert_eq!(list(&root.path().join(name)).unwrap()[0].state, in_search, "{name}");
        fs::remove_file(root.path().join("ledger.toml")).unwrap();
    }
}

#[test]
fn a_broken_folder_does_not_end_the_listing() {
    let root = tempfile::tempdir().unwrap();
    make(root.path(), "good", &config("digits", "0.01", 1), END);
    make(root.path(), "syntax", "model = \"mlp\"\n[train\n", END);
    make(root.path(), "metrics", &config("digits", "0.01", 1), &[STEP, "what?\n", END].concat());
    make(root.path(), "binary", &config("digits", "0.01", 1), "\u{0}\u{1}\n");
    make(root.path(), "empty", "", "");
    fs::remove_file(root.path().join("empty/config.toml")).unwrap();
    make(root.path(), "folder", "", "");
    fs::remove_file(root.path().join("folder/config.toml")).unwrap();
    fs::create_dir(root.path().join("folder/config.toml")).unwrap();
    make(root.path(), ".hidden", "", "");
    fs::write(root.path().join("file"), "").unwrap();
    let runs = list(root.path()).unwrap();
    let found: Vec<(&str, State)> = runs.iter().map(|run| (run.name.as_str(), run.state)).collect();
    use State::{Broken, Finished};
    let due = ["binary", "empty", "folder", "good", "metrics", "syntax"];
    assert_eq!(found, due.map(|name| (name, if name == "good" { Finished } else { Broken })));
    let problem = |name: &str| runs.iter().find(|run| run.name == name).and_then(|run| run.problem.clone()).unwrap();
    assert!(problem("syntax").starts_with("config.toml: line 2: "), "{}", problem("syntax"));
    assert!(problem("metrics").starts_with("metrics.jsonl: line 2: "), "{}", problem("metrics"));
    assert!(problem("binary").starts_with("metrics.jsonl: line 1: "), "{}", problem("binary"));
    assert_eq!(problem("empty"), "no config.toml: not the folder of a run");
    assert!(problem("folder").starts_with("config.toml: "), "{}", problem("folder"));
    // What came before the broken line is known.
    assert_eq!(runs.iter().find(|run| run.name == "metrics").unwrap().steps, 10);
}

#[test]
fn differences_are_those_within_an_experiment() {
    let root = tempfile::tempdir().unwrap();
    make(root.path(), "a", &config("digits", "0.01", 1), END);
    make(root.path(), "b", &config("digits", "0.1", 1), END);
    make(root.path(), "c", &config("cifar", "0.5", 2), END);
    make(root.path(), "d", "", END);
    let runs = list(root.path()).unwrap();
    let differs: Vec<Vec<(&str, &str)>> = runs
        .iter()
        .map(|run| run.differs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect())
        .collect();
    assert_eq!(differs, [vec![("optimizer.lr", "0.01")], vec![("optimizer.lr", "0.1")], vec![], vec![]]);
    let pair = named(root.path(), &["c".into(), "a".into()]).unwrap();
    assert_eq!(pair[0].differs.len(), 2);
    let found: Vec<(String, Vec<Option<String>>)> = differences(&pair).into_iter().map(|d| (d.key, d.values)).collect();
    let values = |values: [&str; 2]| values.map(|value| Some(value.to_string())).to_vec();
    assert_eq!(
        found,
        [("optimizer.lr".to_string(), values(["0.5", "0.01"])), ("train.seed".to_string(), values(["2", "1"]))]
    );
}

#[test]
fn runs_are_found_by_name_or_path_and_what_is_missing_is_told() {
    let root = tempfile::tempdir().unwrap();
    make(root.path(), "digits-1", &config("digits", "0.01", 1), END);
    let path = root.path().join("digits-1");
    assert_eq!(named(Path::new("nowhere"), &[path.display().to_string()]).unwrap()[0].name, "digits-1");
    assert_eq!(list(&path).unwrap().len(), 1);
    let error = named(root.path(), &["digits-2".into()]).unwrap_err();
    assert!(error.is_usage());
    assert_eq!(error.to_string(), format!("no run `digits-2` in {}; did you mean digits-1?", root.path().display()));
    let error = named(root.path(), &["x".into()]).unwrap_err().to_string();
    assert_eq!(error, format!("no run `x` in {}", root.path().display()));
    let text = list(&root.path().join("none")).unwrap_err().to_string();
    assert!(text.starts_with("cannot read the folder ") && text.contains("none"), "{text}");
}

#[test]
fn a_searchs_folder_is_no_broken_run() {
    let root = tempfile::tempdir().unwrap();
    make(root.path(), "a", &config("digits", "0.1", 0), &format!("{}{END}", epoch(1, 0.5, 0.5)));
    make(&root.path().join("tune-digits"), "trial-001", &config("digits", "0.2", 0), &epoch(1, 0.5, 0.5));
    assert_eq!(list(root.path()).unwrap().len(), 2);
    fs::write(root.path().join("tune-digits/ledger.toml"), "").unwrap();
    let names: Vec<String> = list(root.path()).unwrap().into_iter().map(|run| run.name).collect();
    assert_eq!(names, ["a"]);
    assert_eq!(list(&root.path().join("tune-digits")).unwrap()[0].name, "trial-001");
}
