//! A classifier's training step and its forward pass, on one synthetic batch that is uploaded once.

use super::Iteration;
use taper::nn::{Context, CrossEntropy, Module, Optimizer, Params};
use taper::tensor::Distribution;
use taper::{DType, Device, RandomKey, Result, Shape, Tensor, no_grad};

/// Learning rate of Adam's works. Small, so that hundreds of steps on one batch do not learn it by heart: gradients
/// that vanish would have denormals timed.
pub const ADAM_LR: f64 = 1e-5;
/// The same of SGD's.
pub const SGD_LR: f64 = 1e-4;

/// Builds a model.
pub type Build<M> = fn(&Params) -> Result<M>;

/// Normal random numbers of mean 0 and variance 1.
pub fn normal(name: &str, shape: impl Into<Shape>, device: &Device) -> Result<Tensor> {
    let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
    Tensor::random(normal, RandomKey::new(1).child(name), shape, DType::F32, device)
}

fn parameters(device: &Device) -> Params {
    Params::new(device, DType::F32, RandomKey::new(0))
}

/// Forward, cross entropy over `classes`, backward, a step of the optimiser.
pub fn training<M: Module + 'static, O: Optimizer + 'static>(
    device: &Device,
    shape: [usize; 4],
    classes: usize,
    build: Build<M>,
    optimizer: impl FnOnce(&Params) -> Result<O>,
) -> Result<Iteration> {
    let params = parameters(device);
    let model = build(&params)?;
    let mut optimizer = optimizer(&params)?;
    let x = normal("x", shape, device)?;
    let labels: Vec<i64> = (0..shape[0]).map(|i| (i % classes) as i64).collect();
    let labels = Tensor::from_vec(labels, [shape[0]], device)?;
    let mut step = 0;
    Ok(Box::new(move || {
        let logits = model.forward(&x, &Context::train(0, 0, step))?;
        let loss = CrossEntropy::default().forward(&logits, &labels)?;
        let _outcome = optimizer.step(&loss.backward()?)?; // whether it was taken is not asked: that would wait
        step += 1;
        Ok(loss)
    }))
}

/// The logits, nothing recorded.
pub fn inference<M: Module + 'static>(device: &Device, shape: [usize; 4], build: Build<M>) -> Result<Iteration> {
    let model = build(&parameters(device))?;
    let x = normal("x", shape, device)?;
    Ok(Box::new(move || {
        no_grad(|| {
            let logits = model.forward(&x, &Context::eval())?;
            logits.buffer()?; // computes what is pending
            Ok(logits)
        })
    }))
}
