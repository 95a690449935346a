//! Trains the seed CNN from synthetic weights and samples ([`crate::hash`]), so that any device and any peer's program
//! can make the same steps.

use crate::hash;
use taper_models::{InputSpec, SeedCnn};
use taper_nn::{
    Adam, AdamConfig, Context, CrossEntropy, DType, Device, HostData, Module, Optimizer, Params, RandomKey, Result,
    Tensor,
};

/// The data and length of a training.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// Samples per step.
    pub batch: usize,
    /// Samples in all, a multiple of `batch`; steps go through them in order, again and again.
    pub pictures: usize,
    /// The number of steps, with Adam.
    pub steps: usize,
}

/// Trains on `device` in `dtype`, f32 or f64, and returns the loss of each step.
///
/// # Errors
/// Any error of the device.
pub fn losses(device: &Device, dtype: DType, work: Work) -> Result<Vec<f64>> {
    let Work { batch, pictures, steps } = work;
    let params = Params::new(device, dtype, RandomKey::new(0));
    let model = SeedCnn::new(&InputSpec { shape: [3, 32, 32], classes: 10 }, &params)?;
    let fan_ins = [27, 27, 576, 576, 8192, 8192, 512, 512];
    assert_eq!(params.all().len(), fan_ins.len());
    for (number, (param, fan_in)) in params.all().iter().zip(fan_ins).enumerate() {
        let shape = param.tensor().shape().clone();
        let values = hash::weights(number as u64, shape.count(), fan_in);
        param.set(&Tensor::from_host(HostData::from_f64(&values, dtype), shape, device)?)?;
    }
    let mut adam = Adam::new(params.trainable(), AdamConfig { lr: 1e-3, ..AdamConfig::default() })?;

    let (bytes, labels) = (hash::pictures(pictures), hash::labels(pictures));
    // Scaled in the dtype, as the peer does.
    let scaled = |bytes: &[u8]| match dtype {
        DType::F64 => HostData::F64(bytes.iter().map(|&x| f64::from(x) / 255.0).collect()),
        _ => HostData::F32(bytes.iter().map(|&x| f32::from(x) / 255.0).collect()),
    };
    let mut step = |step: usize| {
        let first = step * batch % pictures;
        let x = scaled(&bytes[first * 3072..(first + batch) * 3072]);
        let x = Tensor::from_host(x, [batch, 3, 32, 32], device)?;
        let y = Tensor::from_vec(labels[first..first + batch].to_vec(), [batch], device)?;
        let loss = CrossEntropy::default().forward(&model.forward(&x, &Context::train(0, 0, step as u64))?, &y)?;
        assert!(adam.step(&loss.backward()?)?.taken()?);
        loss.item()
    };
    (0..steps).map(&mut step).collect()
}

/// The largest relative difference of `found` from `due`; infinite if they are empty, differ in length or contain NaN.
pub fn largest_difference(found: &[f64], due: &[f64]) -> f64 {
    if found.len() != due.len() || due.is_empty() {
        return f64::INFINITY;
    }
    let differences = found.iter().zip(due).map(|(found, due)| (found - due).abs() / due.abs());
    differences.fold(0.0, |largest, next| if next.is_nan() { f64::INFINITY } else { largest.max(next) })
}
