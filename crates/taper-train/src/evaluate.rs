//! Loss and accuracy over a dataset.

use crate::scalars::Scalars;
use crate::{Error, Reporter, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use taper_data::{Batch, BatchLoader, Dataset, LoaderOptions};
use taper_nn::taper_tensor::Element;
use taper_nn::{Context, CrossEntropy, DType, Module, Params, Tensor, no_grad};

/// Losses are read from the device every so many batches.
const READ_EVERY: usize = 10;

/// What a measurement found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// The mean cross entropy.
    pub loss: f64,
    /// Samples whose largest logit was that of their class.
    pub correct: usize,
    /// Samples measured.
    pub samples: usize,
}

impl Evaluation {
    /// The fraction classified rightly.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.samples as f64
    }
}

/// Measures `model`, whose parameters are `params`, on `data`, `batch_size` samples at a time, in order, without
/// gradients. What was found is read from the device every ten batches. `None` when `stop` was raised meanwhile.
///
/// # Errors
/// When the data are empty or do not fit the model.
pub fn evaluate<D: Dataset>(
    model: &dyn Module,
    params: &Params,
    data: &D,
    batch_size: usize,
    stop: &AtomicBool,
    reporter: &mut dyn Reporter,
) -> Result<Option<Evaluation>> {
    let loader = BatchLoader::new(data, LoaderOptions { batch_size, shuffle: None, drop_last: false })?;
    match params.dtype() {
        DType::F32 => measure::<f32, _>(model, params, loader, stop, reporter),
        DType::F64 => measure::<f64, _>(model, params, loader, stop, reporter),
        other => Err(unsupported(other)),
    }
}

fn measure<T: Element, D: Dataset>(
    model: &dyn Module,
    params: &Params,
    mut loader: BatchLoader<D>,
    stop: &AtomicBool,
    reporter: &mut dyn Reporter,
) -> Result<Option<Evaluation>> {
    let total = loader.dataset().len();
    let mut found = Evaluation { loss: 0.0, correct: 0, samples: 0 };
    let mut batch = Batch::<T>::default();
    let mut waiting = Vec::new();
    while loader.next_into(&mut batch) {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let scalars = no_grad(|| {
            let (x, classes) = upload(&mut batch, params)?;
            let logits = model.forward(&x, &Context::eval())?; // [B, classes]
            let loss = CrossEntropy::default().forward(&logits, &classes)?;
            Ok::<_, Error>(Scalars::new([&loss, &correct(&logits, &classes)?])?)
        })?;
        waiting.push((batch.labels.len(), scalars));
        if waiting.len() == READ_EVERY || loader.position() == loader.len() {
            let read = Scalars::read(waiting.iter().map(|(_, scalars)| scalars))?;
            for ((samples, _), [loss, correct]) in waiting.drain(..).zip(read) {
                found.loss += loss * samples as f64;
                found.correct += correct as usize;
                found.samples += samples;
            }
            reporter.evaluating(found.samples, total);
        }
    }
    found.loss /= found.samples as f64;
    Ok(Some(found))
}

/// The batch on the device: inputs `[B, …]` and classes `[B]`. The inputs are moved out of `batch`.
pub(crate) fn upload<T: Element>(batch: &mut Batch<T>, params: &Params) -> Result<(Tensor, Tensor)> {
    let inputs = std::mem::take(&mut batch.inputs);
    let x = Tensor::from_vec(inputs, batch.shape.as_slice(), params.device())?;
    let classes = Tensor::from_vec(batch.labels.clone(), [batch.labels.len()], params.device())?;
    Ok((x, classes))
}

/// How many rows of `logits: [B, classes]` are largest at their class of `classes: [B]`, the first of equals counting.
pub(crate) fn correct(logits: &Tensor, classes: &Tensor) -> taper_nn::Result<Tensor> {
    // In i64, whose sums are exact.
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
    fn the_first_of_equals_counts() {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let logits = Tensor::from_vec(vec![1.0_f32, 3.0, 3.0, 5.0, 4.0, 5.0, 0.0, 0.0, 0.0], [3, 3], &device).unwrap();
        let of = |classes: [i64; 3]| {
            correct(&logits, &Tensor::from_vec(classes.to_vec(), [3], &device).unwrap()).unwrap().item().unwrap()
        };
        assert_eq!([of([1, 0, 0]), of([1, 0, 1]), of([2, 2, 1])], [3.0, 2.0, 0.0]);
    }
}
