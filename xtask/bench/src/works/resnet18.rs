//! `resnet18`: a training step of ResNet-18 for 32 × 32 samples, [`ResNet`].

use super::classifier::{SGD_LR, training};
use super::{Measured, Work};
use crate::flop;
use taper::models::{InputSpec, ResNet, ResNetConfig};
use taper::nn::{Sgd, SgdConfig};

const BATCH: usize = 64;
const INPUT: InputSpec = InputSpec { shape: [3, 32, 32], classes: 10 };
/// The output channels of each stage, and the stride of its first block.
const STAGES: [(usize, usize); 4] = [(64, 1), (128, 2), (256, 2), (512, 2)];

pub fn works() -> Vec<Work> {
    vec![Work {
        name: "resnet18".into(),
        timed: "training step, batch 64, SGD with momentum",
        measured: Measured::Time,
        family: None,
        threads: 2,
        flop: flop::step(&forward()),
        bytes: None,
        make: Box::new(|device| {
            let model = |params: &_| ResNet::new(18, &ResNetConfig::default(), &INPUT, params);
            training(device, [BATCH, 3, 32, 32], INPUT.classes, model, |params| {
                Sgd::new(params.trainable(), SgdConfig { lr: SGD_LR, momentum: 0.9, ..SgdConfig::default() })
            })
        }),
    }]
}

fn forward() -> Vec<f64> {
    let mut layers = vec![flop::conv(BATCH, [3, 64], 3, 32)];
    let (mut channels, mut side) = (64, 32);
    for (outputs, stride) in STAGES {
        side /= stride;
        for inputs in [channels, outputs] {
            layers.extend([[inputs, outputs], [outputs, outputs]].map(|io| flop::conv(BATCH, io, 3, side)));
        }
        if stride != 1 {
            layers.push(flop::conv(BATCH, [channels, outputs], 1, side));
        }
        channels = outputs;
    }
    layers.push(flop::product([BATCH, channels, INPUT.classes]));
    layers
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper::nn::Params;
    use taper::{DType, RandomKey, Result};

    /// The figures known for this network on CIFAR-10: 11.17 million parameters, 0.56 G multiplications per sample.
    #[test]
    fn it_is_the_network_that_is_meant() -> Result<()> {
        let params = Params::new(&taper::device("cpu")?, DType::F32, RandomKey::new(0));
        ResNet::new(18, &ResNetConfig::default(), &INPUT, &params)?;
        let trained: usize = params.trainable().iter().map(|param| param.tensor().count()).sum();
        assert_eq!(trained, 11_173_962);
        let multiplications = forward().iter().sum::<f64>() / (2.0 * BATCH as f64);
        assert!((multiplications / 0.556e9 - 1.0).abs() < 2e-3, "{multiplications}");
        Ok(())
    }
}
