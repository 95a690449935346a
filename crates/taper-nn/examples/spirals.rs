//! Trains a small network to tell two spirals apart: `cargo run --release -p taper-nn --example spirals`.

use std::f64::consts::TAU;
use taper_nn::{
    Activation, Adam, AdamConfig, Context, CrossEntropy, DType, Device, Linear, LinearConfig, Module, Optimizer,
    Params, RandomKey, Result, Sequential, Tensor, no_grad,
};

fn main() -> Result<()> {
    let device = Device::new(taper_cpu::CpuBackend::new()?);

    // 200 points; point i lies on arm i mod 2, the further out the larger i.
    let noise = RandomKey::new(1);
    let points: Vec<f32> = (0..200)
        .flat_map(|i| {
            let radius = 0.1 + 0.9 * i as f64 / 200.0;
            let angle = 1.5 * TAU * radius + TAU / 2.0 * (i % 2) as f64;
            let point = [radius * angle.cos(), radius * angle.sin()];
            [0, 1].map(|axis| (point[axis] + 0.01 * noise.normal((2 * i + axis) as u64)) as f32)
        })
        .collect();
    let points = Tensor::from_vec(points, [200, 2], &device)?;
    let arms = Tensor::from_vec((0..200).map(|i| i % 2).collect::<Vec<i64>>(), [200], &device)?;

    let params = Params::new(&device, DType::F32, RandomKey::new(0));
    let model = Sequential::new()
        .then(Linear::new(LinearConfig::new(2, 64), &params.sub("fc1"))?)
        .then(Activation::Tanh)
        .then(Linear::new(LinearConfig::new(64, 64), &params.sub("fc2"))?)
        .then(Activation::Tanh)
        .then(Linear::new(LinearConfig::new(64, 2), &params.sub("fc3"))?);
    let mut adam = Adam::new(params.trainable(), AdamConfig { lr: 0.01, ..AdamConfig::default() })?;

    for step in 0..=500 {
        let logits = model.forward(&points, &Context::train(0, 0, step))?; // [200, 2]
        let loss = CrossEntropy::default().forward(&logits, &arms)?;
        let outcome = adam.step(&loss.backward()?)?;
        if step % 100 == 0 {
            let guesses = no_grad(|| logits.argmax(1, false))?.to_vec::<i64>()?;
            let right = guesses.iter().enumerate().filter(|(i, guess)| **guess == (i % 2) as i64).count();
            let taken = if outcome.taken()? { "taken" } else { "skipped" };
            println!("step {step:>3}  loss {:.4}  right {right} of 200  {taken}", loss.item()?);
        }
    }
    Ok(())
}
