//! `resnet18`: ResNet-18 for pictures of 32 × 32 (He et al., "Deep Residual Learning for Image Recognition", CVPR
//! 2016): a 3 × 3 stem without pooling, four stages of two basic blocks.

use super::classifier::{SGD_LR, training};
use super::{Measured, Work};
use crate::flop;
use taper::nn::{
    AdaptiveAvgPool2d, BatchNorm2d, BatchNormConfig, Context, Conv2d, Conv2dConfig, Linear, LinearConfig, Module,
    Params, Sgd, SgdConfig,
};
use taper::{Result, Tensor};

const BATCH: usize = 64;
/// The output channels of a stage, and the stride of its first block.
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
            training(device, [BATCH, 3, 32, 32], 10, ResNet18::new, |params| {
                Sgd::new(params.trainable(), SgdConfig { lr: SGD_LR, momentum: 0.9, ..SgdConfig::default() })
            })
        }),
    }]
}

struct ResNet18 {
    stem: Unit,
    blocks: Vec<Block>,
    fc: Linear,
}

/// A convolution without bias, and batch norm.
struct Unit(Conv2d, BatchNorm2d);

/// y = relu(F(x) + shortcut(x)) with F = unit, ReLU, unit.
struct Block {
    first: Unit,
    second: Unit,
    shortcut: Option<Unit>,
}

impl ResNet18 {
    fn new(params: &Params) -> Result<Self> {
        let (mut blocks, mut channels) = (Vec::new(), 64);
        for (stage, (outputs, stride)) in STAGES.into_iter().enumerate() {
            for (index, stride) in [stride, 1].into_iter().enumerate() {
                let params = params.sub(format!("layer{}.{index}", stage + 1));
                blocks.push(Block::new([channels, outputs], stride, &params)?);
                channels = outputs;
            }
        }
        let fc = Linear::new(LinearConfig::new(channels, 10), &params.sub("fc"))?;
        Ok(Self { stem: Unit::new([3, 64], 3, 1, &params.sub("stem"))?, blocks, fc })
    }
}

impl Unit {
    fn new([inputs, outputs]: [usize; 2], size: usize, stride: usize, params: &Params) -> Result<Self> {
        let config = Conv2dConfig::new(inputs, outputs, size).stride(stride).padding(size / 2).bias(false);
        let norm = BatchNorm2d::new(BatchNormConfig::new(outputs), &params.sub("bn"))?;
        Ok(Self(Conv2d::new(config, &params.sub("conv"))?, norm))
    }
}

impl Block {
    fn new([inputs, outputs]: [usize; 2], stride: usize, params: &Params) -> Result<Self> {
        let changes = stride != 1 || inputs != outputs;
        let shortcut = changes.then(|| Unit::new([inputs, outputs], 1, stride, &params.sub("shortcut"))).transpose()?;
        let first = Unit::new([inputs, outputs], 3, stride, &params.sub("first"))?;
        Ok(Self { first, second: Unit::new([outputs, outputs], 3, 1, &params.sub("second"))?, shortcut })
    }
}

impl Module for ResNet18 {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        let x = self.stem.forward(x, context)?.relu()?; // [N, 64, 32, 32]
        let x = self.blocks.iter().try_fold(x, |x, block| block.forward(&x, context))?; // [N, 512, 4, 4]
        let x = AdaptiveAvgPool2d::new(1).forward(&x, context)?.flatten(1)?;
        self.fc.forward(&x, context)
    }
}

impl Module for Unit {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        self.1.forward(&self.0.forward(x, context)?, context)
    }
}

impl Module for Block {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        let y = self.second.forward(&self.first.forward(x, context)?.relu()?, context)?;
        let shortcut = self.shortcut.as_ref().map(|unit| unit.forward(x, context)).transpose()?;
        y.add(shortcut.as_ref().unwrap_or(x))?.relu()
    }
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
    layers.push(flop::product([BATCH, channels, 10]));
    layers
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper::{DType, RandomKey};

    /// What is told of this network for CIFAR-10: 11.17 million parameters, 0.56 G multiplications a picture.
    #[test]
    fn it_is_the_network_that_is_meant() -> Result<()> {
        let params = Params::new(&taper::device("cpu")?, DType::F32, RandomKey::new(0));
        ResNet18::new(&params)?;
        let trained: usize = params.trainable().iter().map(|param| param.tensor().count()).sum();
        assert_eq!(trained, 11_173_962);
        let multiplications = forward().iter().sum::<f64>() / (2.0 * BATCH as f64);
        assert!((multiplications / 0.556e9 - 1.0).abs() < 2e-3, "{multiplications}");
        Ok(())
    }
}
