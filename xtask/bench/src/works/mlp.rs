//! `mlp`: a training step of a multilayer perceptron on 28 × 28 samples. `tiny`: the same of one with 992 parameters,
//! which measures the overhead per operation.

use super::classifier::{ADAM_LR, training};
use super::{Measured, Work};
use crate::flop;
use taper::Result;
use taper::models::{InputSpec, Mlp};
use taper::nn::{Adam, AdamConfig, Module, Params};

pub fn works() -> Vec<Work> {
    vec![
        step("mlp", "784-1024-1024-10 training step, batch 128, Adam", 128, &[784, 1024, 1024, 10], |params| {
            Mlp::with_hidden(&InputSpec { shape: [1, 28, 28], classes: 10 }, &[1024, 1024], params)
        }),
        step("tiny", "32-24-8 training step, batch 16, Adam", 16, &[32, 24, 8], |params| {
            Mlp::with_hidden(&InputSpec { shape: [1, 1, 32], classes: 8 }, &[24], params)
        }),
    ]
}

/// The benchmark of a training step with Adam; `sizes` are the features of the input and of the hidden layers, and the
/// classes.
fn step<M: Module + 'static>(
    name: &str,
    timed: &'static str,
    batch: usize,
    sizes: &'static [usize],
    build: fn(&Params) -> Result<M>,
) -> Work {
    let forward: Vec<f64> = sizes.windows(2).map(|pair| flop::product([batch, pair[0], pair[1]])).collect();
    let (features, classes) = (sizes[0], sizes[sizes.len() - 1]);
    Work {
        name: name.into(),
        timed,
        measured: Measured::Time,
        family: None,
        threads: 2,
        flop: flop::step(&forward),
        bytes: None,
        make: Box::new(move |device| {
            training(device, [batch, 1, 1, features], classes, build, |params| {
                Adam::new(params.trainable(), AdamConfig { lr: ADAM_LR, ..AdamConfig::default() })
            })
        }),
    }
}
