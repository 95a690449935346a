//! Training classifiers on the digits: what smoothing and mixing do, a run that is ended anywhere, and the page.

mod common;

use common::{classifier, config, device, few};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use taper_data::augment::{Fill, Translate};
use taper_data::{Augmented, LocateOptions};
use taper_nn::{DType, Params, RandomKey, weights};
use taper_tasks::{ClassifyConfig, Predictions, Views, experiment};
use taper_train::{Evaluation, Fit, Flow, Hook, Result, RunFolder, RunView, Silent, StepView, TrainOptions, train};

fn trained(of: ClassifyConfig) -> (Evaluation, Predictions) {
    let ([data, test], (task, params)) = (few(), classifier(DType::F32, 0));
    let task = task.with(of);
    let config = config(&["train.epochs=15", "train.batch_size=32", "optimizer.lr=0.01"]);
    let outcome = Fit::new(&config, &task, &params, &data).test(&test).run(&mut Silent).unwrap();
    let predictions = task.predictions(&outcome, &test).unwrap();
    (outcome.test.unwrap(), predictions)
}

#[test]
fn smoothing_and_mixing_lower_confidence_and_learn_still() {
    // The mean probability of the predicted class, and the accuracy, on the test split.
    let confidence = |of| {
        let (test, Predictions { predicted, probability, truth }) = trained(of);
        let right = predicted.iter().zip(&truth).filter(|(predicted, truth)| predicted == truth).count();
        assert_eq!((truth.len(), test.get("accuracy").unwrap()), (360, right as f64 / 360.0));
        (probability.iter().sum::<f64>() / probability.len() as f64, test.get("accuracy").unwrap())
    };
    let plain = ClassifyConfig::default();
    let (usual, accuracy) = confidence(plain);
    assert!(accuracy > 0.85, "{accuracy}");
    for of in [
        ClassifyConfig { label_smoothing: 0.2, ..plain },
        ClassifyConfig { mixup: 1.0, ..plain },
        ClassifyConfig { cutmix: 1.0, ..plain },
    ] {
        let (lower, accuracy) = confidence(of);
        assert!(lower < usual - 0.03 && accuracy > 0.8, "{of:?}: {lower} of {usual}, {accuracy}");
    }
}

/// The views of each picture are of the test split alone, in which they are another measurement of the same weights.
#[test]
fn views_are_of_the_final_evaluation() {
    let ([data, test], config) = (few(), config(&["train.epochs=3"]));
    let run = |views| {
        let (task, params) = classifier(DType::F32, 0);
        let task = task.with(ClassifyConfig { views, ..ClassifyConfig::default() });
        let fit = Fit::new(&config, &task, &params, &data).validation(&test).test(&test);
        let outcome = fit.run(&mut Silent).unwrap();
        (outcome.last.unwrap().validation.unwrap(), outcome.test.unwrap())
    };
    let ((validation, test), (same, other)) = (run(Views::One), run(Views::Six));
    assert_eq!((&validation, &test), (&same, &validation));
    assert_ne!(other, test);
}

/// Stops the run after a step.
struct Stop<'a>(u64, &'a AtomicBool);

impl Hook for Stop<'_> {
    fn after_step(&mut self, _run: &RunView<'_>, step: &StepView<'_>) -> Result<Flow> {
        self.1.fetch_or(step.step == self.0, Ordering::Relaxed);
        Ok(Flow::Continue)
    }
}

/// What is mixed, and with which weight, is drawn again: ended anywhere and resumed, a run is the one that was not.
#[test]
fn doubles_mixed_and_changed() {
    let shift = Translate { pixels: 1, fill: Fill::Zero };
    let train = Augmented::new(few()[0].clone(), vec![shift.into()], 5).unwrap();
    let settings = ["train.epochs=3", "train.batch_size=32", "train.dtype=f64", "optimizer.lr=0.01", "data.workers=2"];
    let config = config(&settings);
    let of = ClassifyConfig { mixup: 0.4, cutmix: 1.0, ..ClassifyConfig::default() };
    let run = |ends: &[u64]| {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(root.path()).unwrap();
        let mut weights = Vec::new();
        for &end in ends.iter().chain(&[0]) {
            let (task, params) = classifier(DType::F64, if folder.last().exists() { 9 } else { 0 });
            let (task, stop) = (task.with(of), AtomicBool::new(false));
            let mut hook = Stop(end, &stop);
            let fit = Fit::new(&config, &task, &params, &train).folder(&folder).resume().stop(&stop).hook(&mut hook);
            assert_eq!(fit.run(&mut Silent).unwrap().stopped, end > 0);
            weights = params.all().iter().map(|param| param.tensor().to_vec::<f64>().unwrap()).collect::<Vec<_>>();
        }
        weights
    };
    assert!(run(&[1, 4, 9, 10, 20]) == run(&[]));
}

/// The page of a run whose second layer's first weights let next to nothing through to the first.
#[test]
fn a_vanishing_gradient_is_in_the_report() {
    let root = tempfile::tempdir().unwrap();
    let params = Params::new(&device(), DType::F32, RandomKey::new(0));
    let input = taper_models::InputSpec { shape: [1, 8, 8], classes: 10 };
    taper_models::build("mlp", &input, &params).unwrap();
    let all = params.all();
    let second = all.iter().find(|param| param.name() == "fc2.weight").unwrap();
    second.set(&second.tensor().detach().mul_scalar(1e-12).unwrap()).unwrap();
    let init = root.path().join("first.safetensors");
    weights::save(&all, &init).unwrap();
    let init = format!("init.file={}", init.display());
    let settings =
        ["optimizer.name=sgd", "optimizer.lr=1e-12", "train.log_every=1", "train.max_steps=8", init.as_str()];
    let options = TrainOptions {
        run_dir: Some(root.path().join("run")),
        resume: false,
        pause_after: None,
        test: true,
        runs: root.path().into(),
        locate: LocateOptions::default(),
        commit: None,
        command: None,
        stop: &false.into(),
    };
    let digits = experiment("digits").unwrap();
    let (folder, _, outcome) = train(digits, &config(&settings), &device(), options, &mut Silent).unwrap();
    let warned = outcome.warnings.iter().filter(|text| text.starts_with("the gradient of fc1.weight vanishes")).count();
    assert_eq!(warned, 1, "{:?}", outcome.warnings);
    let page = fs::read_to_string(folder.report()).unwrap();
    assert!(page.contains("the gradient of fc1.weight vanishes: its norm is "), "the page does not warn");
    // It has hardly learned: more went wrong than are shown, and the page says how many.
    let test = outcome.test.unwrap();
    let wrong = test.samples as f64 * (1.0 - test.get("accuracy").unwrap());
    let wrong = wrong.round() as u64;
    assert!(wrong > 48 && page.contains(&format!("The first 48 of {wrong} samples.")), "{wrong} went wrong");
    assert!(!page.contains("no picture"), "a sample is shown without its picture");
    for section in ["Confusion matrix", "Samples gone wrong", "First-layer filters"] {
        assert!(page.contains(section), "{section}");
    }
}
