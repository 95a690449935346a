//! `resnet50`: a training step of ResNet-50 for ImageNet's pictures, [`ResNet`].

use super::classifier::{SGD_LR, training};
use super::{Measured, Work};
use crate::flop;
use taper::models::{IMAGENET, ResNet, ResNetConfig};
use taper::nn::{Sgd, SgdConfig};

const BATCH: usize = 8;
/// The channels of each stage's 3 × 3 convolutions, its blocks, and the side of its outputs.
const STAGES: [(usize, usize, usize); 4] = [(64, 3, 56), (128, 4, 28), (256, 6, 14), (512, 3, 7)];

pub fn works() -> Vec<Work> {
    vec![Work {
        name: "resnet50".into(),
        timed: "training step at 224 px, batch 8, SGD with momentum",
        measured: Measured::Time,
        family: None,
        threads: 2,
        flop: flop::step(&forward()),
        bytes: None,
        make: Box::new(|device| {
            let model = |params: &_| ResNet::new(50, &ResNetConfig::default(), &IMAGENET, params);
            training(device, [BATCH, 3, 224, 224], IMAGENET.classes, model, |params| {
                Sgd::new(params.trainable(), SgdConfig { lr: SGD_LR, momentum: 0.9, ..SgdConfig::default() })
            })
        }),
    }]
}

fn forward() -> Vec<f64> {
    let mut layers = vec![flop::conv(BATCH, [3, 64], 7, 112)];
    let (mut from, mut side) = (64, 56);
    for (channels, blocks, after) in STAGES {
        for block in 0..blocks {
            layers.push(flop::conv(BATCH, [from, channels], 1, side)); // the stride is in the next
            layers.push(flop::conv(BATCH, [channels, channels], 3, after));
            layers.push(flop::conv(BATCH, [channels, 4 * channels], 1, after));
            if block == 0 {
                layers.push(flop::conv(BATCH, [from, 4 * channels], 1, after));
            }
            (from, side) = (4 * channels, after);
        }
    }
    layers.push(flop::product([BATCH, from, IMAGENET.classes]));
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    /// torchvision tells of 4.09 G multiply-adds a sample.
    #[test]
    fn it_is_the_network_that_is_meant() {
        let products = forward().iter().sum::<f64>() / (2.0 * BATCH as f64);
        assert!((products / 4.09e9 - 1.0).abs() < 2e-3, "{products}");
    }
}
