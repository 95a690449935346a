//! Samples without a label (−100) count for nothing: in a loss, an accuracy, a step.

mod common;

use common::{config, device};
use std::sync::atomic::AtomicBool;
use taper_data::{Batch, DType as Kind, Dataset, FieldSpec};
use taper_nn::{
    BatchNorm1d, BatchNormConfig, Conv2d, Conv2dConfig, DType, Flatten, Linear, LinearConfig, Params, RandomKey,
    Sequential,
};
use taper_tasks::{Classification, ClassifyConfig, IGNORED_LABEL, Reduction};
use taper_train::lr_finder::LrRange;
use taper_train::{EpochReport, EvaluateOptions, Evaluation, Fit, Outcome, Reporter, Result, Silent, Split, evaluate};

/// Samples of the shape with these labels; the values follow from `of`, a number for each.
#[derive(Clone)]
struct Samples {
    shape: Vec<usize>,
    labels: Vec<i64>,
    of: Vec<u64>,
}

impl Samples {
    fn new(shape: &[usize], labels: &[i64]) -> Self {
        Self { shape: shape.into(), labels: labels.into(), of: (0..labels.len() as u64).collect() }
    }

    /// Those with a label.
    fn labelled(&self) -> Self {
        let kept = || (0..self.labels.len()).filter(|&i| self.labels[i] != IGNORED_LABEL);
        let labels = kept().map(|i| self.labels[i]).collect();
        Self { shape: self.shape.clone(), labels, of: kept().map(|i| self.of[i]).collect() }
    }
}

impl Dataset for Samples {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn fields(&self) -> Vec<FieldSpec> {
        vec![FieldSpec::new("inputs", Kind::F64, &self.shape), FieldSpec::new("labels", Kind::I64, &[])]
    }

    fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> taper_data::Result<()> {
        let size = self.shape.iter().product();
        let inputs = batch.f64("inputs", &[&[indices.len()], self.shape.as_slice()].concat());
        for (sample, &i) in inputs.chunks_mut(size).zip(indices) {
            let key = RandomKey::new(self.of[i]);
            sample.iter_mut().enumerate().for_each(|(at, x)| *x = key.normal(at as u64));
        }
        batch.i64("labels", &[indices.len()]).iter_mut().zip(indices).for_each(|(to, &i)| *to = self.labels[i]);
        Ok(())
    }
}

/// ±1 with its sign as class; some have no label.
struct Signs(fn(usize) -> bool);

impl Dataset for Signs {
    fn len(&self) -> usize {
        128
    }

    fn fields(&self) -> Vec<FieldSpec> {
        vec![FieldSpec::new("inputs", Kind::F32, &[1]), FieldSpec::new("labels", Kind::I64, &[])]
    }

    fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> taper_data::Result<()> {
        let sign = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
        batch.f32("inputs", &[indices.len(), 1]).iter_mut().zip(indices).for_each(|(to, &i)| *to = sign(i));
        let label = |i: usize| if (self.0)(i) { IGNORED_LABEL } else { i as i64 % 2 };
        batch.i64("labels", &[indices.len()]).iter_mut().zip(indices).for_each(|(to, &i)| *to = label(i));
        Ok(())
    }
}

const ON: [i64; 4] = [0, 1, 2, 1];
const OFF: i64 = IGNORED_LABEL;

/// The task of a model of rows `[4]`, with batch norm, or of pictures.
fn net(shape: &[usize]) -> (Classification<Sequential>, Params) {
    let params = Params::new(&device(), DType::F64, RandomKey::new(3));
    let linear = |name: &str, from, to| Linear::new(LinearConfig::new(from, to), &params.sub(name)).unwrap();
    let model = match shape {
        [_] => Sequential::new()
            .then(linear("a", 4, 5))
            .then(BatchNorm1d::new(BatchNormConfig::new(5), &params.sub("bn")).unwrap())
            .then(linear("b", 5, 3)),
        _ => Sequential::new()
            .then(Conv2d::new(Conv2dConfig::new(1, 2, 3), &params.sub("conv")).unwrap())
            .then(Flatten)
            .then(linear("b", 8, 3)),
    };
    (Classification::new(model, ["a", "b", "c"]), params)
}

fn bits(params: &Params) -> Vec<Vec<f64>> {
    params.all().iter().map(|param| param.tensor().to_host().unwrap().to_f64()).collect()
}

fn accuracy(found: &Evaluation) -> f64 {
    found.get("accuracy").unwrap()
}

/// What training on `data` in order leaves.
fn trained(data: &Samples, settings: &[&str], of: ClassifyConfig) -> (Outcome, Vec<Vec<f64>>) {
    let (task, params) = net(&data.shape);
    let task = task.with(of);
    let common = ["train.shuffle=false", "train.dtype=f64", "train.log_every=1", "optimizer.lr=0.1"];
    let config = config(&[common.as_slice(), settings].concat());
    let outcome = Fit::new(&config, &task, &params, data).run(&mut Silent).unwrap();
    (outcome, bits(&params))
}

const REDUCTIONS: [Reduction; 2] = [Reduction::Mean, Reduction::Sum];

fn reduced(reduction: Reduction) -> ClassifyConfig {
    ClassifyConfig { reduction, ..ClassifyConfig::default() }
}

#[test]
fn accuracy_is_of_samples_with_a_label() {
    for unlabelled in [|i| i % 4 >= 2, |i| i >= 64] as [fn(usize) -> bool; 2] {
        let params = Params::new(&device(), DType::F32, RandomKey::new(0));
        let task = Classification::new(Linear::new(LinearConfig::new(1, 2), &params).unwrap(), ["+", "-"]);
        let config = config(&["train.epochs=20", "train.shuffle=false", "optimizer.lr=0.1"]);
        let data = Signs(unlabelled);
        let end = Fit::new(&config, &task, &params, &data).test(&data).run(&mut Silent).unwrap();
        let predictions = task.predictions(&end, &data).unwrap();
        let (last, test) = (end.last.unwrap(), end.test.unwrap());
        assert_eq!((accuracy(&last.train), accuracy(&test), last.train.samples, test.samples), (1.0, 1.0, 64, 64));
        let [train, test] = [last.train.loss(), test.loss()];
        assert!(train < 0.4 && train > test && test > 0.0, "{last:?}");
        assert_eq!((predictions.predicted.len(), predictions.truth[127]), (128, OFF));
    }
}

/// Weights, moments and averages, batch norm's statistics: after a step and a batch without labels all is as after the
/// step alone.
#[test]
fn a_batch_without_labels_makes_no_step() {
    let both = Samples::new(&[4], &[ON, [OFF; 4]].concat());
    let (one, fours) = (both.labelled(), "train.batch_size=4");
    for optimizer in ["optimizer.name=sgd", "optimizer.name=adam", "optimizer.name=lion"] {
        let settings = [fours, optimizer, "optimizer.weight_decay=0.1", "train.ema=0.5"];
        let of = ClassifyConfig::default();
        let ((with, a), (without, b)) = (trained(&both, &settings, of), trained(&one, &settings, of));
        assert_eq!(a, b, "{optimizer}");
        let [with, without] = [with.last.unwrap(), without.last.unwrap()];
        assert_eq!((with.steps, without.steps), (2, 1));
        assert_eq!(with.train, without.train);
    }
    // Nor does one more batch of a step.
    for reduction in REDUCTIONS {
        let two = trained(&both, &[fours, "train.accumulate=2"], reduced(reduction)).1;
        let one = trained(&one, &[fours], reduced(reduction)).1;
        let far = two.concat().iter().zip(one.concat()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(far < 1e-12, "{reduction:?}: {far:e}");
    }
}

/// Two batches of 3 and 1 labels make the step of one of 4.
#[test]
fn batches_of_a_step_count_by_their_labels() {
    let data = Samples::new(&[1, 4, 4], &[0, 1, OFF, 2, OFF, OFF, 1, OFF]);
    for reduction in REDUCTIONS {
        for label_smoothing in [0.0, 0.2] {
            let of = ClassifyConfig { label_smoothing, ..reduced(reduction) };
            let sgd = "optimizer.name=sgd";
            let two = trained(&data, &[sgd, "train.batch_size=4", "train.accumulate=2"], of);
            let one = trained(&data, &[sgd, "train.batch_size=8"], of);
            let far = two.1.concat().iter().zip(one.1.concat()).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(far < 1e-13, "{reduction:?}, {label_smoothing}: {far:e}");
            let [two, one] = [two.0.last.unwrap(), one.0.last.unwrap()];
            assert!((two.train.loss() - one.train.loss()).abs() < 1e-13, "{two:?}, {one:?}");
            assert_eq!((accuracy(&two.train), two.steps), (accuracy(&one.train), 1));
        }
    }
}

/// Only samples whose label is known are mixed.
#[test]
fn mixing_leaves_samples_without_a_label_out() {
    let data = Samples::new(&[1, 4, 4], &[0, OFF, 1, 2, OFF, 0]);
    for [mixup, cutmix] in [[1.0, 0.0], [0.0, 1.0]] {
        let of = ClassifyConfig { label_smoothing: 0.1, mixup, cutmix, ..ClassifyConfig::default() };
        let run = |data: &Samples| trained(data, &["train.epochs=3"], of).1;
        assert_eq!(run(&data), run(&data.labelled()), "mixup {mixup}, cutmix {cutmix}");
    }
}

#[test]
fn a_split_without_labels_is_told_before_the_first_step() {
    let (some, none) = (Samples::new(&[4], &ON), Samples::new(&[4], &[OFF; 4]));
    let (task, params) = net(&[4]);
    let config = config(&["train.dtype=f64"]);
    let said = |fit: Fit<'_>| fit.run(&mut Silent).unwrap_err().to_string();
    let fit = |data| Fit::new(&config, &task, &params, data);
    let before = bits(&params);
    for (split, found) in [
        ("training", said(fit(&none))),
        ("validation", said(fit(&some).validation(&none))),
        ("test", said(fit(&some).test(&none))),
    ] {
        let due = "split: none of its 4 samples counts for this task: a sample without a label does not, for example";
        assert_eq!(found, format!("the {split} {due}"));
    }
    assert_eq!(bits(&params), before);
    let options = EvaluateOptions { batch_size: 4, workers: 1, split: Split::Test };
    let found = evaluate(&task, &params, &none, &options, &AtomicBool::new(false), &mut Silent).unwrap_err();
    assert!(found.to_string().starts_with("the test split: none of its 4 samples counts"), "{found}");
    // One label anywhere is enough.
    let mut late = [OFF; 600];
    late[599] = 1;
    fit(&some).test(&Samples::new(&[4], &late)).run(&mut Silent).unwrap();
}

/// Data without labels at all are no data whose labels are missing.
#[test]
fn a_field_that_is_not_there_is_told() {
    struct Unlabelled(Samples);
    impl Dataset for Unlabelled {
        fn len(&self) -> usize {
            self.0.len()
        }
        fn fields(&self) -> Vec<FieldSpec> {
            self.0.fields().into_iter().take(1).collect()
        }
        fn fill(&self, epoch: u64, indices: &[usize], batch: &mut Batch) -> taper_data::Result<()> {
            let mut whole = Batch::default();
            whole.clear(indices.len());
            self.0.fill(epoch, indices, &mut whole)?;
            let values = whole.field("inputs")?.data.to_f64();
            batch.f64("inputs", &[indices.len(), 4]).copy_from_slice(&values);
            Ok(())
        }
    }
    let (task, params) = net(&[4]);
    let config = config(&["train.dtype=f64"]);
    let data = Unlabelled(Samples::new(&[4], &ON));
    let text = Fit::new(&config, &task, &params, &data).run(&mut Silent).unwrap_err().to_string();
    assert_eq!(text, "the task expects a field `labels` in each batch, the data set has inputs");
}

/// An epoch may see none of the labels there are: it has no loss then, and the run goes on, also from its checkpoint.
#[test]
fn an_epoch_without_labels_has_no_loss() {
    #[derive(Default)]
    struct Epochs(Vec<f64>, Vec<f64>);
    impl Reporter for Epochs {
        fn epoch(&mut self, epoch: &EpochReport) {
            self.0.push(epoch.train.loss());
        }
        fn step(&mut self, step: &taper_train::StepReport<'_>) {
            self.1.push(step.loss);
        }
    }
    let root = tempfile::tempdir().unwrap();
    let folder = taper_train::RunFolder::create(root.path()).unwrap();
    let data = Samples::new(&[4], &[[OFF; 4].as_slice(), &[1, 2]].concat());
    let settings = ["train.shuffle=false", "train.dtype=f64", "train.batch_size=4", "train.drop_last=true"];
    let config = config(&[settings.as_slice(), &["train.epochs=2", "train.log_every=1"]].concat());
    let run = |pause: Option<u64>, told: &mut Epochs| -> Result<Outcome> {
        let (task, params) = net(&[4]);
        let fit = Fit::new(&config, &task, &params, &data).folder(&folder).resume();
        match pause {
            Some(epochs) => fit.pause_after(epochs),
            None => fit,
        }
        .run(told)
    };
    let mut told = Epochs::default();
    assert!(run(Some(1), &mut told).unwrap().paused);
    assert!(run(None, &mut told).unwrap().last.unwrap().train.loss().is_nan());
    assert!(told.0.len() == 2 && told.1.len() == 2 && told.0.iter().chain(&told.1).all(|loss| loss.is_nan()));
    let metrics = std::fs::read_to_string(folder.metrics()).unwrap();
    assert!(!metrics.contains("\"step\"") && metrics.contains("\"train_loss\":null"), "{metrics}");
}

#[test]
fn the_rate_finder_passes_over_batches_without_labels() {
    let data = Samples::new(&[4], &[ON, [OFF; 4]].concat());
    let config = config(&["train.shuffle=false", "train.dtype=f64", "train.batch_size=4"]);
    let (task, params) = net(&[4]);
    let range = LrRange { from: 1e-6, to: 1e-3, steps: 40 };
    let stop = AtomicBool::new(false);
    let curve = range.find(&config, &task, &params, &data, &stop, &mut Silent).unwrap();
    assert_eq!(curve.points.len(), 20);
    assert!(curve.points.iter().all(|point| point.loss > 0.0));
}
