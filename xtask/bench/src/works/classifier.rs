//! A classifier's training step and its forward pass, on one synthetic batch that is uploaded once.

use super::Iteration;
use taper::nn::{Context, CrossEntropy, Module, Optimizer, Params};
use taper::tensor::Distribution;
use taper::{DType, Device, RandomKey, Result, Shape, Tensor, no_grad};

/// The learning rate of the benchmarks with Adam. It is small, so that hundreds of steps do not overfit the one batch:
/// the gradients would vanish, and the speed of denormals would be measured.
pub const ADAM_LR: f64 = 1e-5;
/// The learning rate of the benchmarks with SGD, small for the same reason.
pub const SGD_LR: f64 = 1e-4;

/// A function that builds a model from its parameters' source.
pub type Build<M> = fn(&Params) -> Result<M>;

/// Random numbers from the standard normal distribution, in f32; `name` selects the random stream.
pub fn normal(name: &str, shape: impl Into<Shape>, device: &Device) -> Result<Tensor> {
    let normal = Distribution::Normal { mean: 0.0, std: 1.0 };
    Tensor::random(normal, RandomKey::new(1).child(name), shape, DType::F32, device)
}

fn parameters(device: &Device) -> Params {
    Params::new(device, DType::F32, RandomKey::new(0))
}

/// A training step as an iteration: forward pass of a batch of `shape` `[N, C, H, W]`, cross entropy over `classes`,
/// backward pass, optimiser step. It returns the loss.
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
        // Whether the step was taken is not read: that would wait for the device.
        let _outcome = optimizer.step(&loss.backward()?)?;
        step += 1;
        Ok(loss)
    }))
}

/// A forward pass as an iteration, without recording gradients. It returns the logits.
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
