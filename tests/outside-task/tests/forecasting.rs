//! What the author of an experiment may count on: one call trains it, a run that was ended goes on to the same bits, what
//! it measures is found by name, and its keys are told as those of the house.

use forecasting::{Forecaster, Sine};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use taper_config::Override;
use taper_cpu::CpuBackend;
use taper_data::LocateOptions;
use taper_nn::{Context, Device, Tensor};
use taper_train::{
    Config, Evaluation, Experiment, Outcome, Reporter, Result, RunFolder, Silent, StepReport, TrainOptions, train,
};

fn run(folder: &Path, config: &Config, stop: &AtomicBool, reporter: &mut dyn Reporter) -> Result<Outcome> {
    let options = TrainOptions {
        run_dir: Some(folder.into()),
        resume: true,
        pause_after: None,
        test: true,
        runs: "runs".into(),
        locate: LocateOptions::default(),
        commit: None,
        command: None,
        stop,
    };
    let device = Device::new(CpuBackend::new()?);
    train(&Sine, config, &device, options, reporter).map(|(_, _, outcome)| outcome)
}

/// Ends the run after a step in the middle of the second epoch.
struct Ends<'a>(&'a AtomicBool);

impl Reporter for Ends<'_> {
    fn step(&mut self, step: &StepReport) {
        if step.step == 17 {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

fn config(settings: &str) -> Result<Config> {
    Sine.config().with(&Override::read(settings, "here")?)
}

#[test]
fn it_is_trained_ended_resumed_and_reported() {
    let root = tempfile::tempdir().unwrap();
    let config = config("train.log_every = 1").unwrap();
    let whole = RunFolder::create(root.path().join("whole")).unwrap();
    let never = AtomicBool::new(false);
    let outcome = run(whole.path(), &config, &never, &mut Silent).unwrap();
    let found: Evaluation = outcome.test.unwrap();
    // The sine has a deviation of 0.7, its noise one of 0.1.
    let (rmse, coverage) = (found.get("rmse").unwrap(), found.get("coverage").unwrap());
    assert!((0.1..0.4).contains(&rmse) && coverage > 0.7, "{found:?}");

    let ended = RunFolder::create(root.path().join("ended")).unwrap();
    let stop = AtomicBool::new(false);
    let first = run(ended.path(), &config, &stop, &mut Ends(&stop)).unwrap();
    assert!(first.stopped && first.steps < outcome.steps, "{first:?}");
    let second = run(ended.path(), &config, &never, &mut Silent).unwrap();
    assert_eq!(second.test, Some(found));
    for file in ["model.safetensors", "smoothed_loss.json", "spec.json"] {
        let [a, b] = [&whole, &ended].map(|folder| fs::read(folder.path().join(file)).unwrap());
        assert!(a == b, "{file}");
    }
    // The hook saw every step, not those of the second part alone.
    let state = fs::read_to_string(ended.path().join("smoothed_loss.json")).unwrap();
    assert!(state.contains(&format!("\"steps\":{}", outcome.steps)), "{state}");

    let lines = fs::read_to_string(ended.metrics()).unwrap();
    let page = fs::read_to_string(ended.report()).unwrap();
    for name in ["train_loss", "validation_rmse", "validation_coverage", "test_loss", "test_coverage"] {
        assert!(lines.contains(&format!("\"{name}\":")), "{name}: {lines}");
    }
    for text in ["Test rmse", "Test coverage", &format!("{:.2}%", 100.0 * coverage), "window = 8"] {
        assert!(page.contains(text), "{text}");
    }
    assert!(!lines.contains("accuracy") && !page.contains("accuracy"));

    // Put to work: of a sine without noise the next value.
    let device = Device::new(CpuBackend::new().unwrap());
    let model = Forecaster::load(ended.path(), &device).unwrap();
    let past: Vec<f32> = (0..8).map(|i| (0.3 * i as f32).sin()).collect();
    let past = Tensor::from_vec(past, [1, 8], &device).unwrap();
    let (mean, _) = model.forward(&past, &Context::eval()).unwrap();
    assert!((mean.item().unwrap() - f64::sin(2.4)).abs() < 0.3, "{mean:?}");
}

#[test]
fn its_keys_are_told() {
    let root = tempfile::tempdir().unwrap();
    let told = |settings: &str| {
        let config = config(settings).unwrap();
        let error = run(&root.path().join("run"), &config, &AtomicBool::new(false), &mut Silent).unwrap_err();
        assert!(error.is_usage() && !root.path().join("run").exists());
        error.to_string()
    };
    assert_eq!(
        told("model.widnow = 4"),
        "model.widnow: unknown key of the model forecaster; did you mean window? (its keys: window, hidden)"
    );
    assert_eq!(told("model.hidden = 0"), "model.hidden: expected an integer from 1 to 2^16, found 0");
    assert_eq!(told("model.name = \"mlp\""), "model.name: unknown model `mlp`; known: forecaster");
    // What `--help` shows.
    let keys = Sine.config().keys(&Sine.families());
    let key = keys.iter().find(|key| key.name == "model.window").unwrap();
    assert_eq!(key.help, "Values that the model sees before the one that it predicts");
    assert_eq!((key.range.as_str(), key.default_told().as_deref()), ("an integer from 1 to 1024", Some("8")));
}
