//! `seed-cnn`, `seed-cnn-1`: a training step of the seed CNN on two threads and on one. `forward-256`, `forward-1`: its
//! forward pass with a batch of 256 and of 1. `memory`: the memory that its training takes.

use super::classifier::{ADAM_LR, inference, training};
use super::{Measured, Work};
use crate::flop;
use taper::Result;
use taper::models::{InputSpec, SeedCnn};
use taper::nn::{Adam, AdamConfig, Params};

const CLASSES: usize = 10;

pub fn works() -> Vec<Work> {
    let step = |name: &str, threads| Work {
        name: name.into(),
        timed: "training step, batch 64, Adam",
        measured: Measured::Time,
        family: None,
        threads,
        flop: flop::step(&forward(64)),
        bytes: None,
        make: Box::new(|device| {
            training(device, [64, 3, 32, 32], CLASSES, build, |params| {
                Adam::new(params.trainable(), AdamConfig { lr: ADAM_LR, ..AdamConfig::default() })
            })
        }),
    };
    let pass = |name: &str, timed, batch: usize, bytes| Work {
        name: name.into(),
        timed,
        measured: Measured::Time,
        family: None,
        threads: 2,
        flop: forward(batch).iter().sum(),
        bytes,
        make: Box::new(move |device| inference(device, [batch, 3, 32, 32], build)),
    };
    let fc1_bytes = 4.0 * 8192.0 * 512.0; // with a batch of 1, reading fc1's weights bounds the time
    vec![
        step("seed-cnn", 2),
        step("seed-cnn-1", 1),
        pass("forward-256", "seed CNN forward, batch 256", 256, None),
        pass("forward-1", "seed CNN forward, batch 1; GB/s over fc1's weights", 1, Some(fc1_bytes)),
        Work {
            timed: "growth of memory in training steps, batch 64, Adam",
            measured: Measured::Memory,
            ..step("memory", 2)
        },
    ]
}

fn build(params: &Params) -> Result<SeedCnn> {
    SeedCnn::new(&InputSpec { shape: [3, 32, 32], classes: CLASSES }, params)
}

fn forward(n: usize) -> [f64; 4] {
    [
        flop::conv(n, [3, 64], 3, 32),
        flop::conv(n, [64, 128], 3, 16),
        flop::product([n, 8192, 512]),
        flop::product([n, 512, CLASSES]),
    ]
}
