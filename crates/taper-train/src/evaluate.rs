//! Evaluation: what a task measures over a dataset.

use crate::scalars::Scalars;
use crate::task::{Reduced, Sums, check_listed, check_metrics};
use crate::{DeviceBatch, Error, Measured, Metric, Reporter, Result, Split, Task};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use taper_data::{Batch, Dataset, LoaderOptions, Pipeline, PipelineOptions};
use taper_nn::{Context, DType, Params, Tensor, no_grad};

/// Results are read from the device every so many batches.
const READ_EVERY: usize = 10;

/// The result of an evaluation: the value of each metric, by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Samples evaluated, without those that do not count.
    pub samples: usize,
    /// The value of each metric.
    #[serde(flatten, with = "values")]
    values: BTreeMap<String, f64>,
}

impl Evaluation {
    /// The values over `samples` samples.
    pub fn new(samples: usize, values: impl IntoIterator<Item = (String, f64)>) -> Self {
        Self { samples, values: values.into_iter().collect() }
    }

    /// The value of the metric `name`, if it was measured.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values.get(name).copied()
    }

    /// The loss; NaN if nothing counted.
    pub fn loss(&self) -> f64 {
        self.get(crate::task::LOSS).unwrap_or(f64::NAN)
    }

    /// The metrics that were measured and their values, in alphabetical order.
    pub fn values(&self) -> impl Iterator<Item = (&str, f64)> {
        self.values.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// The values of `sums`, sum and count of each of `metrics`; a metric that counted nothing is left out, but for the
    /// loss.
    pub(crate) fn of(samples: usize, metrics: &[Metric], sums: &[[f64; 2]]) -> Self {
        let value = |(i, (metric, &[sum, count])): (usize, (&Metric, &[f64; 2]))| {
            (i == 0 || count != 0.0).then(|| (metric.name.to_string(), (metric.of)(sum / count)))
        };
        Self::new(samples, metrics.iter().zip(sums).enumerate().filter_map(value))
    }
}

/// JSON has no NaN: it is written as `null`.
mod values {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::BTreeMap;

    pub(super) fn serialize<S: Serializer>(values: &BTreeMap<String, f64>, to: S) -> Result<S::Ok, S::Error> {
        values.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, f64>, D::Error> {
        let found = BTreeMap::<String, Option<f64>>::deserialize(from)?;
        Ok(found.into_iter().map(|(name, value)| (name, value.unwrap_or(f64::NAN))).collect())
    }
}

/// The numbers of each sample that a task gave with [`Sums::with_rows`], in the order of the data.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rows {
    /// The numbers of a sample; 0 if the task gave none.
    pub width: usize,
    /// The numbers of all samples, `[N, width]`, row-major.
    pub values: Vec<f64>,
}

impl Rows {
    /// The rows, one a sample.
    pub fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.width.max(1))
    }
}

/// Options of [`evaluate`].
#[derive(Debug, Clone, Copy)]
pub struct EvaluateOptions {
    /// Samples per batch.
    pub batch_size: usize,
    /// Threads that prepare batches.
    pub workers: usize,
    /// The split that the reporter is told.
    pub split: Split,
}

/// Evaluates `task`, whose parameters are `params`, on `data`, in order and without gradients. Results are read from the
/// device every ten batches. `None` when `stop` was raised meanwhile.
///
/// # Errors
/// When the data are empty, none of them counts, or they do not fit the task.
pub fn evaluate(
    task: &dyn Task,
    params: &Params,
    data: &dyn Dataset,
    options: &EvaluateOptions,
    stop: &AtomicBool,
    reporter: &mut dyn Reporter,
) -> Result<Option<(Evaluation, Rows)>> {
    let metrics = task.metrics();
    check_metrics(&metrics)?;
    let loader = LoaderOptions { batch_size: options.batch_size, shuffle: None, drop_last: false };
    let pipeline = PipelineOptions { loader, epoch_batches: 0, workers: options.workers, ahead: 2 };
    std::thread::scope(|scope| {
        let mut loader = Pipeline::start(scope, data, pipeline)?;
        let mut totals = vec![[0.0; 2]; metrics.len()];
        let (mut samples, mut seen) = (0, 0);
        let mut rows = Rows::default();
        let mut batch = Batch::default();
        let mut waiting: Vec<(Tensor, Option<Tensor>)> = Vec::new();
        while loader.next_into(&mut batch)? {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            seen += batch.len();
            let counted = task.counted(&batch);
            samples += counted;
            let number = loader.position() as u64 - 1;
            let found = no_grad(|| {
                let found =
                    task.measure(&DeviceBatch::new(&batch, params, options.split, [0, 0, number]), &Context::eval())?;
                let rows = found.rows.as_ref().map(|rows| rows.detach().cast(DType::F64)).transpose()?;
                Ok::<_, Error>((row(&metrics, &found, params)?, rows))
            })?;
            waiting.push(found);
            if waiting.len() == READ_EVERY || loader.position() == loader.len() {
                // What was summed and what is of each sample are read together, at once.
                let of_samples: Vec<&Tensor> = waiting.iter().filter_map(|(_, rows)| rows.as_ref()).collect();
                if let Some(first) = of_samples.first() {
                    rows.width = first.shape().dims().get(1).copied().unwrap_or(1);
                }
                let all: Vec<&Tensor> = waiting.iter().map(|(sums, _)| sums).chain(of_samples).collect();
                let read = Scalars::read(&all)?;
                let (sums, of_samples) = read.split_at(waiting.len());
                for read in sums {
                    for (total, found) in totals.iter_mut().zip(read.as_chunks::<2>().0) {
                        // A batch of which nothing counts has no mean.
                        if found[1] != 0.0 {
                            *total = [total[0] + found[0], total[1] + found[1]];
                        }
                    }
                }
                rows.values.extend(of_samples.concat());
                waiting.clear();
                reporter.evaluating(options.split, seen, data.len());
            }
        }
        if samples == 0 {
            return Err(nothing_counts(options.split.name(), data.len()));
        }
        let mut found = Evaluation::of(samples, &metrics, &totals);
        let measured = Measured { found: &found, rows: &rows, data, split: options.split, params };
        let concluded = task.conclude(&measured)?;
        for (name, _) in &concluded {
            check_listed(name, &metrics)?;
        }
        found.values.extend(concluded);
        Ok(Some((found, rows)))
    })
}

/// Sum and count of the loss and of each metric: one row of f64 on the device.
fn row(metrics: &[Metric], found: &Sums, params: &Params) -> Result<Tensor> {
    found.check(metrics)?;
    let device = params.device();
    let count = found.count.on(device, DType::F64)?;
    let loss = found.loss.detach().cast(DType::F64)?.reshape([])?;
    let sum = if found.reduction == Reduced::Mean { loss.mul(&count)? } else { loss };
    let mut row = vec![sum, count];
    for metric in &metrics[1..] {
        let Some((_, sum, count)) = found.metrics.iter().find(|(name, ..)| *name == metric.name) else {
            row.extend([Tensor::zeros([], DType::F64, device)?, Tensor::zeros([], DType::F64, device)?]);
            continue;
        };
        row.extend([sum.on(device, DType::F64)?, count.on(device, DType::F64)?]);
    }
    Ok(Scalars::row(&row)?)
}

pub(crate) fn nothing_counts(split: &str, samples: usize) -> Error {
    let detail = "counts for this task: a sample without a label does not, for example";
    Error::Usage(format!("the {split} split: none of its {samples} samples {detail}"))
}

pub(crate) fn unsupported(dtype: DType) -> Error {
    Error::Usage(format!("train.dtype: expected f32 or f64, found {dtype}"))
}
