//! Gradient accumulation: the batches of a step are one batch, however many of each count.

mod common;

use common::{config, device};
use taper_data::{Batch, DType as Kind, Dataset, FieldSpec};
use taper_nn::{Context, DType, Linear, LinearConfig, Params, Pass, RandomKey, Tensor, no_grad};
use taper_train::{DeviceBatch, Evaluation, Fit, Flow, Hook, Metric, Result, RunView, Silent, StepView, Sums, Task};

/// Sequences of 0 to 5 places, each with three numbers and a target; what is behind their end is padding.
struct Ragged;

const PLACES: usize = 5;

impl Ragged {
    /// The places of sample `i`. Five in a row, and so whole batches, have none.
    fn length(i: usize) -> usize {
        if (8..16).contains(&i) { 0 } else { (RandomKey::new(1).uniform(i as u64) * 6.0) as usize }
    }
}

impl Dataset for Ragged {
    fn len(&self) -> usize {
        39
    }

    fn fields(&self) -> Vec<FieldSpec> {
        [("inputs", 3), ("targets", 1), ("mask", 1)]
            .map(|(name, width)| FieldSpec::new(name, Kind::F64, &[PLACES, width]))
            .into()
    }

    fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> taper_data::Result<()> {
        for (name, width) in [("inputs", 3), ("targets", 1), ("mask", 1)] {
            let values = batch.f64(name, &[indices.len(), PLACES, width]);
            for (sample, &i) in values.chunks_mut(PLACES * width).zip(indices) {
                for (at, value) in sample.iter_mut().enumerate() {
                    let there = at / width < Ragged::length(i);
                    let drawn = RandomKey::new(2).child(name).index(i as u64).normal(at as u64);
                    // Padding is no zero: it has to be left out.
                    *value = if name == "mask" { f64::from(u8::from(there)) } else { drawn };
                }
            }
        }
        Ok(())
    }
}

/// How the task gives its loss.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Given {
    /// A mean, over a number on the host or on the device.
    Mean,
    MeanOnDevice,
    Sum,
    /// A mean, with its gradients.
    Gradients,
}

/// Least squares over the places that are there.
struct LeastSquares<'a> {
    model: &'a Linear,
    params: &'a Params,
    given: Given,
}

impl Task for LeastSquares<'_> {
    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::loss("squared error"), Metric::root_mean_square("rmse", ""), Metric::percent("positive")]
    }

    fn counted(&self, batch: &Batch) -> usize {
        let mask = batch.field("mask").unwrap().data.to_f64();
        mask.chunks(PLACES).filter(|mask| mask[0] > 0.0).count()
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let mask = batch.float("mask")?; // [N, T, 1]
        let y = batch.float("inputs")?.pass(self.model, context)?; // [N, T, 1]
        let error = y.sub(&batch.float("targets")?)?.mul(&mask)?;
        let (sum, places) = (error.mul(&error)?.sum_all()?, mask.sum_all()?);
        let host = batch.host().field("mask")?.data.to_f64().iter().sum::<f64>();
        let positive = no_grad(|| y.gt_scalar(0.0)?.cast(DType::F64)?.mul(&mask)?.sum_all())?;
        let mean = sum.div(&places)?;
        let sums = match self.given {
            Given::Mean => Sums::mean(mean, host),
            Given::Sum => Sums::sum(sum.clone(), &places),
            // Nothing is differentiated where it is measured.
            Given::Gradients if context.is_training() => {
                let gradients = mean.backward()?;
                assert!(self.params.all().iter().all(|param| gradients.of_param(param).is_some()));
                Sums::mean(mean.detach(), &places).with_gradients(gradients)
            }
            Given::MeanOnDevice | Given::Gradients => Sums::mean(mean, &places),
        };
        Ok(sums.with("rmse", sum.detach(), &places).with("positive", positive, places))
    }
}

#[derive(Default)]
struct Steps(Vec<(f64, Vec<f64>)>);

impl Hook for Steps {
    fn after_step(&mut self, run: &RunView<'_>, step: &StepView<'_>) -> Result<Flow> {
        let weights = run.params.all().iter().flat_map(|param| param.tensor().to_host().unwrap().to_f64()).collect();
        self.0.push((step.loss.item()?, weights));
        Ok(Flow::Continue)
    }
}

fn run(given: Given, settings: &[&str]) -> (Vec<(f64, Vec<f64>)>, Evaluation, Evaluation) {
    let params = Params::new(&device(), DType::F64, RandomKey::new(3));
    let model = Linear::new(LinearConfig::new(3, 1), &params).unwrap();
    let task = LeastSquares { model: &model, params: &params, given };
    // The gradient of a sum is longer.
    let rate = if given == Given::Sum { "optimizer.lr=0.003" } else { "optimizer.lr=0.1" };
    let common = ["train.epochs=3", "train.dtype=f64", "optimizer.name=sgd", rate];
    let config = config(&[common.as_slice(), settings].concat());
    let mut steps = Steps::default();
    let fit = Fit::new(&config, &task, &params, &Ragged).test(&Ragged).hook(&mut steps);
    let outcome = fit.run(&mut Silent).unwrap();
    (steps.0, outcome.last.unwrap().train, outcome.test.unwrap())
}

/// 39 samples are three steps of 12 and one of 3, whose batches of 4 are one of 3: nothing but rounding in f64 is between
/// three batches and one.
#[test]
fn batches_that_count_differently_are_one_batch() {
    for given in [Given::Mean, Given::MeanOnDevice, Given::Sum, Given::Gradients] {
        let (one, train, test) = run(given, &["train.batch_size=12"]);
        let (three, train_of_three, test_of_three) = run(given, &["train.batch_size=4", "train.accumulate=3"]);
        assert_eq!((one.len(), three.len()), (12, 12));
        for (step, ((loss, weights), (other, others))) in one.iter().zip(&three).enumerate() {
            assert!((loss - other).abs() < 1e-13, "{given:?}, step {}: {loss} and {other}", step + 1);
            let far = weights.iter().zip(others).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(far < 1e-13, "{given:?}, step {}: {far:e}", step + 1);
        }
        assert_ne!(one[0].1, one[11].1);
        for (found, other) in [(&train, &train_of_three), (&test, &test_of_three)] {
            assert_eq!(found.samples, other.samples);
            for name in ["loss", "rmse", "positive"] {
                let [a, b] = [found, other].map(|found| found.get(name).unwrap());
                assert!((a - b).abs() < 1e-13, "{given:?}, {name}: {a} and {b}");
            }
            assert!((found.get("rmse").unwrap().powi(2) - found.loss()).abs() < 1e-13, "{given:?}: {found:?}");
        }
    }
}

/// In the order of the data, a step of batches of which none counts changes nothing, and is weighed by nothing.
#[test]
fn what_does_not_count_weighs_nothing() {
    for given in [Given::Mean, Given::Sum, Given::Gradients] {
        let in_order = ["train.shuffle=false", "train.batch_size=4"];
        let (alone, train, _) = run(given, &in_order);
        // Batches 3 and 4 are the samples 8 to 15.
        assert_eq!([&alone[1].1, &alone[2].1, &alone[3].1], [&alone[1].1; 3], "{given:?}");
        assert_ne!(alone[4].1, alone[3].1);
        assert_eq!((alone[2].0, alone[3].0), (0.0, 0.0));
        assert!(train.loss() > 0.1 && train.samples < 31, "{given:?}: {train:?}");
        // With others in a step they add nothing to it.
        let (pairs, _, _) = run(given, &[in_order.as_slice(), &["train.accumulate=4"]].concat());
        let (whole, _, _) = run(given, &["train.shuffle=false", "train.batch_size=16"]);
        for ((loss, weights), (other, others)) in pairs.iter().zip(&whole) {
            let far = weights.iter().zip(others).map(|(a, b)| (a - b).abs()).fold((loss - other).abs(), f64::max);
            assert!(far < 1e-13, "{given:?}: {far:e}");
        }
    }
}

#[test]
fn a_metric_that_is_not_listed_is_refused() {
    struct Other(Tensor);
    impl Task for Other {
        fn metrics(&self) -> Vec<Metric> {
            vec![Metric::loss(""), Metric::percent("accuracy")]
        }
        fn train(&self, batch: &DeviceBatch<'_>, _context: &Context) -> Result<Sums> {
            Ok(Sums::mean(self.0.sum_all()?, batch.len()).with("acuracy", 1.0, 2_usize))
        }
    }
    let params = Params::new(&device(), DType::F64, RandomKey::new(3));
    let model = Linear::new(LinearConfig::new(3, 1), &params).unwrap();
    let task = Other(model.weight().tensor());
    let config = config(&["train.dtype=f64"]);
    let text = Fit::new(&config, &task, &params, &Ragged).run(&mut Silent).unwrap_err().to_string();
    assert_eq!(text, "the task measures `acuracy`, which is none of its metrics: it lists accuracy");
}
