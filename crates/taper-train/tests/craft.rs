//! What the loop does for training as a craft, each on the digits.

mod common;

use common::{Data, Net, accuracy, config, metrics};
use std::sync::atomic::{AtomicUsize, Ordering};
use taper_data::{Batch, Dataset, FieldSpec, ImageDataset};
use taper_nn::{Activation, DType, Flatten, Linear, LinearConfig, Params, RandomKey, Sequential};
use taper_train::{
    Config, EvaluateOptions, Evaluation, Fit, Flow, Hook, Override, Reporter, Result, RunFolder, RunView, Silent,
    Split, StepView, evaluate,
};

fn plain() -> Net {
    Net::plain(DType::F32, 0)
}

fn folder() -> (tempfile::TempDir, RunFolder) {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path().join("run")).unwrap();
    (root, folder)
}

fn measured(net: &Net, data: &dyn Dataset) -> Evaluation {
    let options = EvaluateOptions { batch_size: 250, workers: 1, split: Split::Validation };
    evaluate(&net.task(), &net.params, data, &options, &false.into(), &mut Silent).unwrap().unwrap().0
}

fn error(settings: &[&str]) -> String {
    let settings: Vec<_> = settings.iter().map(|text| Override::parse(text).unwrap()).collect();
    let trained =
        Config::default().with(&settings).and_then(|config| plain().fit(&config, &Data::few(), None, None, Vec::new()));
    trained.unwrap_err().to_string()
}

/// Keeps what each step saw.
#[derive(Default)]
struct Steps {
    /// The norm of all gradients together.
    norms: Vec<f64>,
    losses: Vec<f64>,
    /// All weights after each step.
    weights: Vec<Vec<f64>>,
}

fn values(params: &Params) -> Vec<f64> {
    params.all().iter().flat_map(|param| param.tensor().to_host().unwrap().to_f64()).collect()
}

impl Hook for Steps {
    fn after_step(&mut self, run: &RunView<'_>, step: &StepView<'_>) -> Result<Flow> {
        let square = |param| step.gradients.of_param(param).map(|g| g.to_host().unwrap().to_f64());
        let all = run.params.all();
        let squares = all.iter().filter_map(square).flatten().map(|value| value * value);
        self.norms.push(squares.sum::<f64>().sqrt());
        self.losses.push(step.loss.item()?);
        self.weights.push(values(run.params));
        Ok(Flow::Continue)
    }
}

fn steps(settings: &[&str], dtype: DType) -> Steps {
    let mut seen = Steps::default();
    Net::plain(dtype, 0).fit(&config(settings), &Data::few(), None, None, vec![&mut seen]).unwrap();
    seen
}

#[test]
fn early_stopping_leaves_the_best_epochs_weights() {
    let settings = ["train.epochs=60", "optimizer.lr=0.03", "regularization.patience=2", "checkpoint.monitor=loss"];
    for averaged in ["train.ema=0", "train.ema=0.5"] {
        let config = config(&[settings.as_slice(), &[averaged]].concat());
        let data = Data::few();
        let (_root, folder) = folder();
        let (bare, kept) = (plain(), plain());
        let outcome = bare.fit(&config, &data, None, None, Vec::new()).unwrap();
        let (last, best) = (outcome.last.unwrap(), outcome.best.unwrap());
        assert!(last.epoch == best.epoch + 2 && last.epoch < 60, "{averaged}: {} of {}", best.epoch, last.epoch);
        assert_eq!(measured(&bare, &data.validation), best.validation.unwrap(), "{averaged}");
        let again = kept.fit(&config, &data, Some((&folder, false)), None, Vec::new()).unwrap();
        assert_eq!((again.best.unwrap().epoch, again.test), (best.epoch, outcome.test), "{averaged}");
        assert!(kept.bits() == bare.bits(), "{averaged}");
    }
    let net = plain();
    let without = Fit::new(&config(&settings), &net.task(), &net.params, &Data::few().train).run(&mut Silent);
    let text = without.unwrap_err().to_string();
    assert!(text.starts_with("regularization.patience: early stopping looks at the validation split"), "{text}");
}

/// What is measured and saved is the average; what is trained is not.
#[test]
fn an_average_is_measured_and_saved() {
    let settings = ["train.epochs=3", "train.batch_size=32", "optimizer.lr=0.01"];
    let averaged = config(&[settings.as_slice(), &["train.ema=0.95"]].concat());
    let data = Data::few();
    let (_root, folder) = folder();
    let mut seen = Steps::default();
    let net = plain();
    let outcome = net.fit(&averaged, &data, Some((&folder, false)), None, vec![&mut seen]).unwrap();
    assert_eq!(seen.weights, steps(&settings, DType::F32).weights, "the average changed how weights are trained");
    // The recurrence from the first step's weights, e ← d·e + (1 − d)·w, in whatever way it is begun: near the last
    // weights, and not them.
    let saved = plain();
    taper_nn::weights::load(&saved.params.all(), folder.model()).unwrap();
    let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
    let (average, last) = (values(&saved.params), seen.weights.last().unwrap());
    let travelled = distance(last, &seen.weights[0]);
    let apart = distance(&average, last);
    assert!(0.01 * travelled < apart && apart < travelled, "{apart} of {travelled}");
    let test = outcome.test.unwrap();
    assert_eq!(measured(&saved, &data.test), test);
    assert_eq!(measured(&saved, &data.validation), outcome.last.unwrap().validation.unwrap());
    assert_ne!(measured(&net, &data.test), test, "the model has its own weights back");
}

#[test]
fn clipping_bounds_the_norm() {
    let settings = ["train.epochs=2", "train.batch_size=32", "optimizer.name=sgd", "optimizer.lr=0.5"];
    let free = steps(&settings, DType::F64);
    assert!(free.norms.iter().any(|&norm| norm > 0.25));
    let held = steps(&[settings.as_slice(), &["regularization.clip_norm=0.25"]].concat(), DType::F64);
    let largest = held.norms.iter().copied().fold(0.0, f64::max);
    assert!((0.2499..0.250_001).contains(&largest), "{largest}");
    let held = steps(&[settings.as_slice(), &["regularization.clip_value=0.01"]].concat(), DType::F64);
    let count = held.weights[0].len() as f64;
    assert!(held.norms.iter().all(|&norm| norm <= 0.01 * count.sqrt() && norm > 0.0));
}

/// fc1.weight, fc1.bias, fc2.weight, fc2.bias after each step.
fn parts(weights: &[f64]) -> [&[f64]; 4] {
    let (a, rest) = weights.split_at(64 * 32);
    let (b, rest) = rest.split_at(32);
    let (c, d) = rest.split_at(32 * 10);
    [a, b, c, d]
}

#[test]
fn groups_are_frozen_or_have_a_rate_or_an_end_of_their_own() {
    let common = ["train.epochs=3", "train.batch_size=64", "optimizer.name=sgd", "optimizer.lr=0.1"];
    let run = |groups: &str| steps(&[common.as_slice(), &[&format!("groups={groups}")]].concat(), DType::F64);
    let usual = run("[]");
    let frozen = run("[{pattern=\"fc1.*\", frozen=true}]");
    for step in &frozen.weights {
        assert_eq!(parts(step)[..2], parts(&frozen.weights[0])[..2]);
    }
    assert_ne!(parts(&frozen.weights[1])[2], parts(&frozen.weights[0])[2]);
    let net = Net::plain(DType::F64, 0);
    let first = values(&net.params);
    assert_eq!(parts(&frozen.weights[0])[..2], parts(&first)[..2]);
    // From the same weights twice the rate goes twice as far; the others go as they would.
    let faster = run("[{pattern=\"*.bias\", optimizer={lr=0.2}}]");
    let (one, two) = (parts(&usual.weights[0]), parts(&faster.weights[0]));
    assert_eq!((one[0], one[2]), (two[0], two[2]));
    for part in [1, 3] {
        for ((was, one), two) in parts(&first)[part].iter().zip(one[part]).zip(two[part]) {
            assert!(((two - was) - 2.0 * (one - was)).abs() < 1e-15);
        }
    }
    // Vectors alone, which are the biases here; Muon takes the matrices. None may be left.
    let vectors = run("[{pattern=\"*\", vectors=true, optimizer={lr=0.2}}]");
    assert_eq!(vectors.weights[0], faster.weights[0]);
    let muon = "[{pattern=\"*\", vectors=true, optimizer={name=\"sgd\", lr=0.1}}]";
    let muon = steps(&["optimizer.name=muon", "train.batch_size=64", &format!("groups={muon}")], DType::F64);
    assert_eq!(parts(&muon.weights[0])[1], parts(&usual.weights[0])[1]);
    assert_ne!(parts(&muon.weights[0])[0], parts(&usual.weights[0])[0]);
    let none = run("[{pattern=\"*.bias\"}, {pattern=\"*\", vectors=true}]");
    assert_eq!(none.weights, usual.weights);
    // An epoch has five steps: the group ends in the middle of the second.
    let ended = run("[{pattern=\"fc2.weight\", epochs=1.4}]");
    let moved = |step: usize| parts(&ended.weights[step])[2] != parts(&ended.weights[step - 1])[2];
    assert_eq!((1..15).filter(|&step| moved(step)).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert_eq!(usual.weights[6], ended.weights[6]);
}

/// When a run is over, what it froze can be trained by the next.
#[test]
fn a_second_run_finds_everything_trainable() {
    let groups = "groups=[{pattern=\"fc1.*\", frozen=true}, {pattern=\"fc2.bias\", epochs=0.5}]";
    let net = plain();
    for _ in 0..2 {
        net.fit(&config(&[groups, "train.epochs=1"]), &Data::few(), None, None, Vec::new()).unwrap();
        assert_eq!(net.params.trainable().len(), 4);
    }
}

#[test]
fn groups_and_keys_that_mean_nothing_are_told() {
    let text = error(&["groups=[{pattern=\"conv*\"}]"]);
    assert_eq!(
        text,
        "groups: no parameter is left that matches \"conv*\"; the model has fc1.weight, fc1.bias, fc2.weight, fc2.bias"
    );
    let text = error(&["groups=[{pattern=\"*\"}, {pattern=\"fc1.bias\"}]"]);
    assert!(text.starts_with("groups: no parameter is left that matches \"fc1.bias\""), "{text}");
    let text = error(&["groups=[{pattern=\"*\", frozen=true}]"]);
    assert_eq!(text, "groups: every parameter is frozen: there is nothing to train");
    let text = error(&["optimizer.name=adam", "optimizer.momentum=0.9"]);
    assert_eq!(text, "optimizer.momentum: adam has none; it is of sgd, rmsprop, muon");
    let text = error(&["groups=[{pattern=\"*.bias\", optimizer={name=\"sgd\", betas=[0.9, 0.9]}}]"]);
    assert!(text.starts_with("groups: \"*.bias\": optimizer.betas: sgd has none; it is of adam"), "{text}");
    let text = error(&["optimizer.name=adan"]);
    assert!(text.starts_with("optimizer.name: unknown optimiser `adan`; did you mean adam"), "{text}");
}

#[test]
fn every_optimiser_trains_the_digits() {
    for (name, rate, more) in [
        ("adam", 0.003, None),
        ("adamw", 0.003, Some("optimizer.weight_decay=0.01")),
        ("sgd", 0.1, Some("optimizer.momentum=0.9")),
        ("rmsprop", 0.002, None),
        ("adagrad", 0.05, None),
        ("lion", 0.005, None),
        ("lamb", 0.02, None),
        ("muon", 0.02, None),
        ("adam", 0.01, Some("optimizer.lookahead=5")),
    ] {
        // Muon is for matrices; biases have Adam beside it.
        let groups = "groups=[{pattern=\"*.bias\", optimizer={name=\"adam\", lr=0.003}}]";
        let (name, rate) = (format!("optimizer.name={name}"), format!("optimizer.lr={rate}"));
        let mut settings = vec![name.as_str(), rate.as_str(), "train.epochs=6"];
        settings.extend(more);
        settings.extend(name.ends_with("muon").then_some(groups));
        let outcome = plain().fit(&config(&settings), &Data::all(), None, None, Vec::new()).unwrap();
        let accuracy = accuracy(&outcome.test.unwrap());
        assert!(accuracy > 0.9, "{settings:?}: {accuracy}");
    }
}

/// The rates in `metrics.jsonl` are the schedule's: 3 epochs of 5 steps.
#[test]
fn every_schedule_moves_the_rate() {
    let cosine = |t: f64, of: f64| 0.5 * (1.0 + (std::f64::consts::PI * t / of).cos());
    let at = |name: &str, step: u64| -> Option<f64> {
        let t = step as f64;
        Some(match name {
            "constant" => 1.0,
            "step" => 0.1_f64.powi((step / 5) as i32),
            "multi-step" => 0.1_f64.powi(i32::from(step >= 5) + i32::from(step >= 8)),
            "exponential" => 0.1_f64.powf(t / 5.0),
            "cosine" => cosine(t, 15.0),
            "cosine-restarts" => cosine(t % 5.0, 5.0),
            "linear" | "polynomial" => 1.0 - t / 15.0,
            _ => return None,
        })
    };
    let shaped = ["constant", "step", "multi-step", "exponential", "cosine", "cosine-restarts", "linear", "polynomial"];
    for name in shaped.into_iter().chain(["one-cycle", "plateau"]) {
        let (_root, folder) = folder();
        let chosen = format!("schedule.name={name}");
        let common = ["train.epochs=3", "train.log_every=1", "optimizer.lr=0.01", "schedule.milestones=[1, 1.6]"];
        let config = config(&[common.as_slice(), &[chosen.as_str(), "schedule.patience=0"]].concat());
        plain().fit(&config, &Data::few(), Some((&folder, false)), None, Vec::new()).unwrap();
        let lines = metrics(folder.path());
        let rates: Vec<f64> =
            lines.iter().filter(|line| line.get("step").is_some()).map(|l| l["lr"].as_f64().unwrap()).collect();
        assert_eq!(rates.len(), 15, "{name}");
        for (step, &rate) in rates.iter().enumerate() {
            if let Some(factor) = at(name, step as u64) {
                assert!((rate - 0.01 * factor).abs() < 1e-12, "{name}, step {step}: {rate} for a factor of {factor}");
            }
        }
        match name {
            // Rises for 0.3 of the steps, and falls below where it began.
            "one-cycle" => assert!(rates[0] < 0.001 && rates[14] < rates[0] && rates.iter().any(|&r| r > 0.009)),
            "plateau" => assert!(rates.is_sorted_by(|a, b| a >= b)),
            _ => {}
        }
        // Each epoch's line has the rate of its last step.
        let told: Vec<f64> =
            lines.iter().filter(|line| line.get("epoch").is_some()).map(|l| l["lr"].as_f64().unwrap()).collect();
        assert_eq!(told, [rates[4], rates[9], rates[14]], "{name}");
    }
}

/// Eight sigmoid layers of small first weights: the gradient of the first is next to nothing.
#[test]
fn a_vanishing_gradient_is_told_by_name() {
    let params = Params::new(&common::device(), DType::F32, RandomKey::new(0));
    let mut model = Sequential::new().then(Flatten);
    for (layer, from) in (1..=10).zip([64, 16, 16, 16, 16, 16, 16, 16, 16, 16]) {
        let linear = Linear::new(LinearConfig::new(from, 16), &params.sub(format!("deep{layer}"))).unwrap();
        model = model.then(linear).then(Activation::Sigmoid);
    }
    let model = model.then(Linear::new(LinearConfig::new(16, 10), &params.sub("last")).unwrap());
    #[derive(Default)]
    struct Notes(Vec<String>);
    impl Reporter for Notes {
        fn note(&mut self, text: &str) {
            self.0.push(text.into());
        }
    }
    let mut notes = Notes::default();
    let data = Data::few();
    let config = config(&["train.epochs=3", "train.log_every=1", "optimizer.name=sgd", "optimizer.lr=0.1"]);
    let net = Net::new(model, params);
    let outcome = Fit::new(&config, &net.task(), &net.params, &data.train).run(&mut notes).unwrap();
    assert!(
        outcome.warnings.iter().any(|text| text.starts_with("the gradient of deep1.weight vanishes: ")),
        "{:?}",
        notes.0
    );
    assert_eq!(notes.0, outcome.warnings);
    assert!(!outcome.warnings.iter().any(|text| text.contains("last.weight")), "{:?}", outcome.warnings);
}

/// Counts how often its samples are read.
struct Counting(ImageDataset, AtomicUsize);

impl Dataset for Counting {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn fields(&self) -> Vec<FieldSpec> {
        self.0.fields()
    }

    fn fill(&self, epoch: u64, indices: &[usize], batch: &mut Batch) -> taper_data::Result<()> {
        self.1.fetch_add(indices.len(), Ordering::Relaxed);
        self.0.fill(epoch, indices, batch)
    }
}

#[test]
fn the_test_split_is_read_once_and_decides_nothing() {
    let data = Data::few();
    let [validation, test] = [data.validation, data.test].map(|data| Counting(data, AtomicUsize::new(0)));
    let (_root, folder) = folder();
    let net = plain();
    let config =
        config(&["train.epochs=4", "optimizer.lr=0.01", "regularization.patience=3", "checkpoint.monitor=loss"]);
    let task = net.task();
    let fit = Fit::new(&config, &task, &net.params, &data.train).validation(&validation).test(&test).folder(&folder);
    let outcome = fit.run(&mut Silent).unwrap();
    let read = |data: &Counting| data.1.load(Ordering::Relaxed);
    // Beside that, their first sample is asked before the first step whether it counts.
    assert_eq!((read(&test), read(&validation)), (1 + test.len(), 1 + 4 * validation.len()));
    // The best is the one with the smallest validation loss of all that were written.
    let losses: Vec<f64> =
        metrics(folder.path()).iter().filter_map(|line| line.get("validation_loss")?.as_f64()).collect();
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(outcome.best.unwrap().validation.unwrap().loss(), least);
    let best = plain();
    taper_nn::weights::load(&best.params.all(), folder.best()).unwrap();
    assert_eq!(measured(&best, &validation.0).loss(), least);
}
