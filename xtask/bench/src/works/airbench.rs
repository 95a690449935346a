//! `airbench`: the network of airbench94 (Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024): a 2 × 2
//! convolution (its whitening), three groups of two convolutions, a scaled linear head. All of it is trained here.

use super::classifier::{SGD_LR, training};
use super::{Measured, Work};
use crate::flop;
use taper::nn::{
    Activation, BatchNorm2d, BatchNormConfig, Context, Conv2d, Conv2dConfig, Flatten, Linear, LinearConfig, MaxPool2d,
    Module, Params, Sequential, Sgd, SgdConfig,
};
use taper::{Result, Tensor};

const BATCH: usize = 500;
/// Of the whitening, and of each group.
const CHANNELS: [usize; 4] = [24, 64, 256, 256];
/// The side of a group's input: 32 − 1 behind the whitening, halved by each group's pooling.
const SIDES: [usize; 4] = [31, 15, 7, 3];

pub fn works() -> Vec<Work> {
    vec![Work {
        name: "airbench".into(),
        timed: "training step, batch 500, SGD with Nesterov's momentum",
        measured: Measured::Time,
        family: None,
        threads: 2,
        flop: flop::step(&forward()),
        bytes: None,
        make: Box::new(|device| {
            training(device, [BATCH, 3, 32, 32], 10, Airbench::new, |params| {
                let config = SgdConfig { lr: SGD_LR, momentum: 0.85, nesterov: true, ..SgdConfig::default() };
                Sgd::new(params.trainable(), config)
            })
        }),
    }]
}

struct Airbench(Sequential);

impl Airbench {
    fn new(params: &Params) -> Result<Self> {
        let whiten = Conv2d::new(Conv2dConfig::new(3, CHANNELS[0], 2), &params.sub("whiten"))?;
        let mut layers = Sequential::new().then(whiten).then(Activation::Gelu);
        for (index, pair) in CHANNELS.windows(2).enumerate() {
            let params = params.sub(format!("group{}", index + 1));
            let conv = |inputs, name| {
                Conv2d::new(Conv2dConfig::new(inputs, pair[1], 3).padding(1).bias(false), &params.sub(name))
            };
            let norm = |name| BatchNorm2d::new(BatchNormConfig::new(pair[1]), &params.sub(name));
            layers = layers.then(conv(pair[0], "conv1")?).then(MaxPool2d::new(2)).then(norm("norm1")?);
            layers = layers.then(Activation::Gelu).then(conv(pair[1], "conv2")?).then(norm("norm2")?);
            layers = layers.then(Activation::Gelu);
        }
        let head = Linear::new(LinearConfig::new(CHANNELS[3], 10).bias(false), &params.sub("head"))?;
        Ok(Self(layers.then(MaxPool2d::new(3)).then(Flatten).then(head)))
    }
}

impl Module for Airbench {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        self.0.forward(x, context)?.mul_scalar(1.0 / 9.0)
    }
}

fn forward() -> Vec<f64> {
    let mut layers = vec![flop::conv(BATCH, [3, CHANNELS[0]], 2, SIDES[0])];
    for (pair, sides) in CHANNELS.windows(2).zip(SIDES.windows(2)) {
        layers.push(flop::conv(BATCH, [pair[0], pair[1]], 3, sides[0]));
        layers.push(flop::conv(BATCH, [pair[1], pair[1]], 3, sides[1]));
    }
    layers.push(flop::product([BATCH, CHANNELS[3], 10]));
    layers
}
