//! Evaluation: loss, accuracy and predictions over a dataset.

use crate::learner::Objective;
use crate::scalars::Scalars;
use crate::{Error, Reporter, Result, Split, Views, logits};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};
use taper_data::{Augment, Batch, Dataset, LoaderOptions, Pipeline, PipelineOptions};
use taper_nn::taper_tensor::Element;
use taper_nn::{Context, CrossEntropy, DType, Module, Params, Reduction, Tensor, no_grad};

/// The label of a sample without one, as PyTorch's `ignore_index`: such samples count in no loss, accuracy or metric. A
/// batch of such samples alone changes no weights.
pub const IGNORED_LABEL: i64 = -100;

/// Results are read from the device every so many batches.
const READ_EVERY: usize = 10;

/// The result of an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The mean cross entropy, or the mean of the custom objective.
    pub loss: f64,
    /// Samples whose largest logit is that of their class; 0 with a custom objective.
    pub correct: usize,
    /// Samples evaluated, without those that have no label.
    pub samples: usize,
}

impl Evaluation {
    /// The fraction of samples classified correctly.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.samples as f64
    }
}

/// The prediction for each sample, in the order of the data; empty with a custom objective.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Predictions {
    /// The predicted class: that of the largest logit.
    pub predicted: Vec<i64>,
    /// The softmax probability of the predicted class.
    pub probability: Vec<f64>,
    /// The true class, or [`IGNORED_LABEL`].
    pub truth: Vec<i64>,
}

/// Options of [`evaluate`].
#[derive(Debug, Clone)]
pub struct EvaluateOptions {
    /// Samples per batch.
    pub batch_size: usize,
    /// Test-time augmentation: the views of each image over which the logits are averaged.
    pub views: Views,
    /// What is applied to images first: normalisation.
    pub augment: Vec<Augment>,
    /// The split that the reporter is told.
    pub split: Split,
}

/// Evaluates `model`, whose parameters are `params`, on `data`, in order and without gradients. Results are read from
/// the device every ten batches. `None` when `stop` was raised meanwhile.
///
/// # Errors
/// When the data are empty, have no label at all, or do not fit the model.
pub fn evaluate<D: Dataset + Sync>(
    model: &dyn Module,
    params: &Params,
    data: &D,
    options: &EvaluateOptions,
    stop: &AtomicBool,
    reporter: &mut dyn Reporter,
) -> Result<Option<(Evaluation, Predictions)>> {
    evaluate_by(None, model, params, data, options, stop, reporter)
}

/// [`evaluate`], or the same with a custom objective: then there are no predictions, and `correct` is 0.
pub(crate) fn evaluate_by<D: Dataset + Sync>(
    objective: Option<Objective<'_>>,
    model: &dyn Module,
    params: &Params,
    data: &D,
    options: &EvaluateOptions,
    stop: &AtomicBool,
    reporter: &mut dyn Reporter,
) -> Result<Option<(Evaluation, Predictions)>> {
    match params.dtype() {
        DType::F32 => measure::<f32, _>(objective, model, params, data, options, stop, reporter),
        DType::F64 => measure::<f64, _>(objective, model, params, data, options, stop, reporter),
        other => Err(unsupported(other)),
    }
}

fn measure<T: Element, D: Dataset + Sync>(
    objective: Option<Objective<'_>>,
    model: &dyn Module,
    params: &Params,
    data: &D,
    options: &EvaluateOptions,
    stop: &AtomicBool,
    reporter: &mut dyn Reporter,
) -> Result<Option<(Evaluation, Predictions)>> {
    let loader = LoaderOptions { batch_size: options.batch_size, shuffle: None, drop_last: false };
    let pipeline = PipelineOptions { loader, augment: options.augment.clone(), seed: 0, workers: 1, ahead: 2 };
    std::thread::scope(|scope| {
        let mut loader = Pipeline::<T>::start(scope, data, pipeline)?;
        let mut found = Evaluation { loss: 0.0, correct: 0, samples: 0 };
        let mut predictions = Predictions::default();
        let mut batch = Batch::<T>::default();
        let mut waiting = Vec::new();
        while loader.next_into(&mut batch)? {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            predictions.truth.extend(&batch.labels);
            let rows = no_grad(|| {
                let (x, classes) = upload(&mut batch, params)?;
                let logits = logits(model, &x, &Context::eval(), options.views)?; // [B, classes]
                match objective {
                    Some(objective) => {
                        // The mean of each batch is weighted by its number of samples.
                        let mean = objective(&logits, &classes)?.cast(DType::F64)?.reshape([1])?;
                        Ok(mean.mul_scalar(classes.count() as f64)?)
                    }
                    None => rows(&logits, &classes),
                }
            })?;
            waiting.push(rows);
            if waiting.len() == READ_EVERY || loader.position() == loader.len() {
                let mut read = Scalars::read(&waiting.iter().collect::<Vec<_>>())?;
                if objective.is_some() {
                    found.loss += read.iter().flatten().sum::<f64>();
                    found.samples = predictions.truth.len();
                    read.clear();
                }
                for &[loss, predicted, probability] in read.iter().flat_map(|rows| rows.as_chunks::<3>().0) {
                    let truth = predictions.truth[predictions.predicted.len()];
                    if truth != IGNORED_LABEL {
                        found.loss += loss;
                        found.correct += usize::from(predicted as i64 == truth);
                        found.samples += 1;
                    }
                    predictions.predicted.push(predicted as i64);
                    predictions.probability.push(probability);
                }
                waiting.clear();
                reporter.evaluating(options.split, predictions.truth.len(), data.len());
            }
        }
        if found.samples == 0 {
            return Err(no_label(options.split.name(), data.len()));
        }
        found.loss /= found.samples as f64;
        if objective.is_some() {
            predictions = Predictions::default();
        }
        Ok(Some((found, predictions)))
    })
}

/// For each row of `logits: [B, classes]` its loss, predicted class and the probability of that class: `[B, 3]`.
fn rows(logits: &Tensor, classes: &Tensor) -> Result<Tensor> {
    let loss = CrossEntropy { reduction: Reduction::None, ..CrossEntropy::default() }.forward(logits, classes)?; // [B]
    let predicted = logits.argmax(1, false)?; // [B]
    let probability = logits.softmax(1)?.max(&[1], false)?; // [B]
    let columns = [loss, predicted, probability].map(|column| column.cast(DType::F64)?.reshape([classes.count(), 1]));
    let columns = columns.into_iter().collect::<taper_nn::Result<Vec<_>>>()?;
    Ok(Tensor::concat(&columns.iter().collect::<Vec<_>>(), 1)?)
}

/// Puts the batch on the device: inputs `[B, …]` and classes `[B]`. The inputs are moved out of `batch`.
pub(crate) fn upload<T: Element>(batch: &mut Batch<T>, params: &Params) -> Result<(Tensor, Tensor)> {
    let inputs = std::mem::take(&mut batch.inputs);
    let x = Tensor::from_vec(inputs, batch.shape.as_slice(), params.device())?;
    let classes = Tensor::from_vec(batch.labels.clone(), [batch.labels.len()], params.device())?;
    Ok((x, classes))
}

/// How many of `labels` are not [`IGNORED_LABEL`].
pub(crate) fn labelled(labels: &[i64]) -> usize {
    labels.iter().filter(|label| **label != IGNORED_LABEL).count()
}

/// Errs when no sample of `data`, the split called `split`, has a label.
pub(crate) fn check_labels(split: &str, data: &impl Dataset) -> Result<()> {
    // An empty split is reported by the pipeline that makes batches of it.
    let some = data.is_empty() || (0..data.len()).any(|i| data.label(i) != IGNORED_LABEL);
    if some { Ok(()) } else { Err(no_label(split, data.len())) }
}

fn no_label(split: &str, samples: usize) -> Error {
    let detail = "which marks a sample without one, and such samples count for nothing: give labels, or an objective";
    Error::Usage(format!("the {split} split: the label of each of its {samples} samples is {IGNORED_LABEL}, {detail}"))
}

/// How many rows of `logits: [B, classes]` have their largest value at their class in `classes: [B]`. Of equal values
/// the first counts as the largest.
pub(crate) fn correct(logits: &Tensor, classes: &Tensor) -> taper_nn::Result<Tensor> {
    // In i64, in which the sum is exact.
    no_grad(|| logits.argmax(1, false)?.eq(classes)?.cast(DType::I64)?.sum_all())
}

pub(crate) fn unsupported(dtype: DType) -> Error {
    Error::Usage(format!("train.dtype: expected f32 or f64, found {dtype}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_nn::Device;

    #[test]
    fn the_label_that_is_ignored_is_that_of_the_loss() {
        assert_eq!(CrossEntropy::default().ignore_index, IGNORED_LABEL);
    }

    #[test]
    fn the_first_of_equals_counts() {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let logits = Tensor::from_vec(vec![1.0_f32, 3.0, 3.0, 5.0, 4.0, 5.0, 0.0, 0.0, 0.0], [3, 3], &device).unwrap();
        let of = |classes: [i64; 3]| {
            correct(&logits, &Tensor::from_vec(classes.to_vec(), [3], &device).unwrap()).unwrap().item().unwrap()
        };
        assert_eq!([of([1, 0, 0]), of([1, 0, 1]), of([2, 2, 1])], [3.0, 2.0, 0.0]);
    }
}
