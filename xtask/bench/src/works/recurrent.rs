//! `lstm`, `gru`: a training step of a recurrent layer behind something that is trained too, so that the gradient of its
//! input is computed, with a linear layer on its last state.

use super::classifier::{ADAM_LR, normal};
use super::{Iteration, Measured, Work};
use crate::flop;
use taper::nn::{
    Adam, AdamConfig, Context, CrossEntropy, Gru, Linear, LinearConfig, Lstm, Module, Optimizer, Params,
    RecurrentConfig,
};
use taper::{DType, Device, RandomKey, Result, Tensor};

const STEPS: usize = 64;
const BATCH: usize = 32;
const INPUT: usize = 128;
const HIDDEN: usize = 256;
const CLASSES: usize = 10;

pub fn works() -> Vec<Work> {
    let config = RecurrentConfig::new(INPUT, HIDDEN);
    vec![
        work("lstm", "LSTM 128→256 training step, 64 steps, batch 32, Adam", 4, move |params| {
            Ok(Box::new(Lstm::new(config, params)?))
        }),
        work("gru", "GRU 128→256 training step, 64 steps, batch 32, Adam", 3, move |params| {
            Ok(Box::new(Gru::new(config, params)?))
        }),
    ]
}

/// The benchmark of a layer with `gates` gates.
fn work(
    name: &str,
    timed: &'static str,
    gates: usize,
    build: impl Fn(&Params) -> Result<Box<dyn Module>> + 'static,
) -> Work {
    let forward = flop::product([STEPS * BATCH, INPUT + HIDDEN, gates * HIDDEN]);
    Work {
        name: name.into(),
        timed,
        measured: Measured::Time,
        family: None,
        threads: 2,
        // The backward pass takes as many for the gradient of the weights, and as many for that of input and state.
        flop: 3.0 * (forward + flop::product([BATCH, HIDDEN, CLASSES])),
        bytes: None,
        make: Box::new(move |device| step(device, &build)),
    }
}

fn step(device: &Device, build: &impl Fn(&Params) -> Result<Box<dyn Module>>) -> Result<Iteration> {
    let params = Params::new(device, DType::F32, RandomKey::new(0));
    let layer = build(&params)?;
    let head = Linear::new(LinearConfig::new(HIDDEN, CLASSES), &params.sub("head"))?;
    let mut optimizer = Adam::new(params.trainable(), AdamConfig { lr: ADAM_LR, ..AdamConfig::default() })?;
    let x = normal("x", [STEPS, BATCH, INPUT], device)?.requires_grad();
    let labels: Vec<i64> = (0..BATCH).map(|i| (i % CLASSES) as i64).collect();
    let labels = Tensor::from_vec(labels, [BATCH], device)?;
    let mut count = 0;
    Ok(Box::new(move || {
        let context = Context::train(0, 0, count);
        let states = layer.forward(&x, &context)?;
        let last = states.narrow(0, STEPS - 1, 1)?.squeeze(0)?;
        let loss = CrossEntropy::default().forward(&head.forward(&last, &context)?, &labels)?;
        // Whether the step was taken is not read: that would wait for the device.
        let _outcome = optimizer.step(&loss.backward()?)?;
        count += 1;
        Ok(loss)
    }))
}
