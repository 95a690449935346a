//! Loss and accuracy over a dataset.

use crate::{Error, Reporter, Result};
use std::sync::atomic::{AtomicBool, Ordering};
use taper_data::{Batch, BatchLoader, Dataset, LoaderOptions};
use taper_nn::taper_tensor::Element;
use taper_nn::{Context, CrossEntropy, DType, HostData, Module, Params, Tensor, no_grad};

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
/// gradients. `None` when `stop` was raised meanwhile.
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
    while loader.next_into(&mut batch) {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let (loss, correct) = no_grad(|| {
            let (x, classes) = upload(&mut batch, params)?;
            let logits = model.forward(&x, &Context::eval())?; // [B, classes]
            let loss = CrossEntropy::default().forward(&logits, &classes)?.item()?;
            Ok::<_, Error>((loss, correct(&logits, &batch.labels)?))
        })?;
        found.loss += loss * batch.labels.len() as f64;
        found.correct += correct;
        found.samples += batch.labels.len();
        reporter.evaluating(found.samples, total);
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

/// How many rows of `logits: [B, classes]` are largest at their label, the first of equals counting.
pub(crate) fn correct(logits: &Tensor, labels: &[i64]) -> Result<usize> {
    fn count<T: Element + PartialOrd>(rows: &[T], labels: &[i64]) -> usize {
        let classes = rows.len() / labels.len().max(1);
        let first_largest =
            |row: &[T]| (0..row.len()).rev().reduce(|best, i| if row[i] >= row[best] { i } else { best });
        let guesses = rows.chunks_exact(classes.max(1)).map(first_largest);
        guesses.zip(labels).filter(|(guess, label)| guess.is_some_and(|guess| guess as i64 == **label)).count()
    }
    match logits.to_host()? {
        HostData::F32(rows) => Ok(count(&rows, labels)),
        HostData::F64(rows) => Ok(count(&rows, labels)),
        other => Err(unsupported(other.dtype())),
    }
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
        assert_eq!(correct(&logits, &[1, 0, 0]).unwrap(), 3);
        assert_eq!(correct(&logits, &[2, 2, 1]).unwrap(), 0);
    }
}
