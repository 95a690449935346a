//! Runs of tasks that do not classify, ended anywhere and resumed: bit by bit the runs that were never ended.

mod common;

use common::{config, device, metrics};
use std::sync::atomic::{AtomicBool, Ordering};
use taper_data::{Batch, DType as Kind, Dataset, FieldSpec};
use taper_nn::{
    Activation, Context, CrossEntropy, DType, Dropout, Embedding, EmbeddingConfig, Linear, LinearConfig, Params, Pass,
    RandomKey, Sequential, Tensor, no_grad, taper_tensor::Distribution,
};
use taper_train::{
    Config, DeviceBatch, Error, Fit, Flow, Hook, Metric, Outcome, Result, RunFolder, RunView, Silent, StepView, Sums,
    Task,
};

/// Points of a circle, each turned by an angle that is drawn anew in each epoch.
struct Circle;

impl Dataset for Circle {
    fn len(&self) -> usize {
        70
    }

    fn fields(&self) -> Vec<FieldSpec> {
        vec![FieldSpec::new("points", Kind::F32, &[2])]
    }

    fn fill(&self, epoch: u64, indices: &[usize], batch: &mut Batch) -> taper_data::Result<()> {
        let points = batch.f32("points", &[indices.len(), 2]);
        for (point, &i) in points.chunks_mut(2).zip(indices) {
            let angle = std::f64::consts::TAU * RandomKey::new(4).index(epoch).uniform(i as u64);
            point.copy_from_slice(&[angle.cos() as f32, angle.sin() as f32]);
        }
        Ok(())
    }
}

/// Points without the noise that was added to them, by a network with dropout.
struct Denoise(Sequential);

impl Denoise {
    fn new(seed: u64) -> (Self, Params) {
        let params = Params::new(&device(), DType::F32, RandomKey::new(seed));
        let linear = |name, from, to| Linear::new(LinearConfig::new(from, to), &params.sub(name)).unwrap();
        let model = Sequential::new()
            .then(linear("in", 2, 24))
            .then(Activation::Tanh)
            .then(Dropout::new(0.1, &params.sub("drop")).unwrap())
            .then(linear("out", 24, 2));
        (Self(model), params)
    }
}

impl Task for Denoise {
    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::loss("squared error"), Metric::root_mean_square("rmse", "")]
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let points = batch.float("points")?; // [N, 2]
        let normal = Distribution::Normal { mean: 0.0, std: 0.3 };
        let noise = Tensor::random(normal, batch.key("noise"), points.shape(), points.dtype(), batch.device())?;
        let error = points.add(&noise)?.pass(&self.0, context)?.sub(&points)?;
        let squares = error.mul(&error)?;
        let sum = no_grad(|| squares.detach().cast(DType::F64)?.sum_all())?;
        Ok(Sums::mean(squares.mean_all()?, 2 * batch.len()).with("rmse", sum, 2 * batch.len()))
    }
}

/// Sequences that count up modulo 7 from a number of their own; batches are as long as the longest in them.
struct Counting;

/// Behind the end of a sequence.
const PAD: i64 = 7;

impl Counting {
    fn length(i: usize) -> usize {
        2 + i * i % 5
    }
}

impl Dataset for Counting {
    fn len(&self) -> usize {
        70
    }

    fn fields(&self) -> Vec<FieldSpec> {
        ["tokens", "targets"].map(|name| FieldSpec { name: name.into(), dtype: Kind::I64, shape: vec![None] }).into()
    }

    fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> taper_data::Result<()> {
        let longest = indices.iter().map(|&i| Self::length(i)).max().unwrap_or_default();
        for (name, shift) in [("tokens", 0), ("targets", 1)] {
            let tokens = batch.i64(name, &[indices.len(), longest]);
            for (sequence, &i) in tokens.chunks_mut(longest).zip(indices) {
                for (at, token) in sequence.iter_mut().enumerate() {
                    *token = if at < Self::length(i) { ((i + at + shift) % 7) as i64 } else { PAD };
                }
            }
        }
        Ok(())
    }
}

/// The token that follows, by the one before it; padding does not count.
struct NextToken {
    embedding: Embedding,
    head: Linear,
}

impl NextToken {
    fn new(seed: u64) -> (Self, Params) {
        let params = Params::new(&device(), DType::F32, RandomKey::new(seed));
        let embedding = Embedding::new(EmbeddingConfig::new(8, 6), &params.sub("embedding")).unwrap();
        let head = Linear::new(LinearConfig::new(6, 7), &params.sub("head")).unwrap();
        (Self { embedding, head }, params)
    }
}

impl Task for NextToken {
    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::loss("nats/token"), Metric::perplexity(), Metric::percent("accuracy")]
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let (tokens, targets) = (batch.tensor("tokens")?.flatten(0)?, batch.tensor("targets")?.flatten(0)?); // [N·T]
        let logits = tokens.pass(&self.embedding, context)?.pass(&self.head, context)?; // [N·T, 7]
        let padded = CrossEntropy { ignore_index: PAD, ..CrossEntropy::default() };
        let loss = padded.forward(&logits, &targets)?;
        let (count, nats, right) = no_grad(|| -> taper_nn::Result<_> {
            let there = targets.lt_scalar(PAD as f64)?.cast(DType::F64)?.sum_all()?;
            let right = logits.argmax(1, false)?.eq(&targets)?.cast(DType::F64)?.sum_all()?;
            Ok((there.clone(), loss.detach().cast(DType::F64)?.mul(&there)?, right))
        })?;
        Ok(Sums::mean(loss, &count).with("perplexity", nats, &count).with("accuracy", right, count))
    }
}

/// Ends the run after a step: politely by raising a flag, or by an error, after which nothing more is written.
struct End<'a>(u64, Option<&'a AtomicBool>);

impl Hook for End<'_> {
    fn after_step(&mut self, _run: &RunView<'_>, step: &StepView<'_>) -> Result<Flow> {
        match (step.step == self.0, self.1) {
            (true, Some(stop)) => stop.store(true, Ordering::Relaxed),
            (true, None) => return Err(Error::Usage("ended".into())),
            (false, _) => {}
        }
        Ok(Flow::Continue)
    }
}

type Trained = (Vec<Vec<u64>>, Vec<serde_json::Value>, Outcome);

/// How a run is ended before it is resumed to its end.
#[derive(Debug, Clone, Copy)]
enum How {
    Killed(u64),
    Stopped(u64),
    Paused(u64),
}

/// Trains with other first weights after each end, which the checkpoint replaces.
fn trained<T: Task>(new: fn(u64) -> (T, Params), data: &dyn Dataset, config: &Config, ends: &[How]) -> Trained {
    let root = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(root.path()).unwrap();
    let run = |how: Option<How>| {
        let (task, params) = new(if folder.last().exists() { 100 } else { 0 });
        let stop = AtomicBool::new(false);
        let mut end = match how {
            Some(How::Killed(after)) => End(after, None),
            Some(How::Stopped(after)) => End(after, Some(&stop)),
            _ => End(0, None),
        };
        let fit =
            Fit::new(config, &task, &params, data).validation(data).test(data).folder(&folder).resume().stop(&stop);
        let fit = if let Some(How::Paused(epochs)) = how { fit.pause_after(epochs) } else { fit };
        let outcome = fit.hook(&mut end).run(&mut Silent);
        (outcome, params)
    };
    for &how in ends {
        match (how, run(Some(how)).0) {
            (How::Killed(_), Err(error)) => assert_eq!(error.to_string(), "ended"),
            (How::Stopped(after), Ok(outcome)) => assert!(outcome.stopped && outcome.steps == after, "{outcome:?}"),
            (How::Paused(epochs), Ok(outcome)) => assert!(outcome.paused && outcome.last.unwrap().epoch == epochs),
            (how, other) => panic!("{how:?}: {other:?}"),
        }
    }
    let (outcome, params) = run(None);
    let bits = |tensor: Tensor| tensor.to_host().unwrap().to_f64().into_iter().map(f64::to_bits).collect();
    let weights = params.all().iter().map(|param| bits(param.tensor())).collect();
    (weights, metrics(root.path()), outcome.unwrap())
}

fn check<T: Task>(new: fn(u64) -> (T, Params), data: &dyn Dataset, settings: &[&str]) -> Outcome {
    let common = ["train.batch_size=8", "train.log_every=3", "optimizer.lr=0.02", "checkpoint.every_steps=3"];
    let config = config(&[common.as_slice(), settings].concat());
    let whole = trained(new, data, &config, &[]);
    let steps = whole.2.steps;
    let epoch = steps / whole.2.last.as_ref().unwrap().epochs;
    for ends in [
        vec![How::Killed(1), How::Killed(4), How::Killed(epoch), How::Killed(epoch + 1), How::Killed(steps)],
        vec![How::Stopped(2), How::Stopped(epoch - 1), How::Stopped(epoch), How::Stopped(steps - 1)],
        vec![How::Paused(1), How::Killed(epoch + 2), How::Paused(2), How::Stopped(2 * epoch + 1)],
    ] {
        let ended = trained(new, data, &config, &ends);
        assert!(ended.0 == whole.0, "{ends:?}: other weights");
        assert_eq!(ended.1, whole.1, "{ends:?}");
        let found =
            |outcome: &Outcome| (outcome.steps, outcome.test.clone(), outcome.last.as_ref().unwrap().train.clone());
        assert_eq!(found(&ended.2), found(&whole.2), "{ends:?}");
    }
    whole.2
}

/// What is random are the data, keyed by the pass; the noise, keyed by the batch; and dropout.
#[test]
fn noise_is_drawn_again() {
    let outcome = check(Denoise::new, &Circle, &["train.epochs=14", "train.accumulate=2", "train.ema=0.9"]);
    let test = outcome.test.unwrap();
    // The noise alone has a deviation of 0.3.
    assert!(test.get("rmse").unwrap() < 0.29 && outcome.steps == 70, "{test:?}");
}

/// Batches differ in shape and in what counts; an epoch is some of a pass.
#[test]
fn sequences_of_any_length() {
    let settings = ["train.epoch_steps=5", "train.epochs=8", "train.measure_every=2", "checkpoint.monitor=perplexity"];
    let outcome = check(NextToken::new, &Counting, &settings);
    let test = outcome.test.unwrap();
    assert!(test.get("accuracy").unwrap() > 0.5 && outcome.steps == 40, "{test:?}");
    assert!((test.loss().exp() - test.get("perplexity").unwrap()).abs() < 1e-9, "{test:?}");
}
