//! The seed CNN: two convolutions and two linear layers, the network that this project grew from. On CIFAR-10
//! (`[3, 32, 32]`, 10 classes) it has 4,275,594 parameters.

use crate::{InputSpec, NoKeys, ZooModel};
use taper_nn::{Context, Conv2d, Conv2dConfig, Linear, LinearConfig, Module, Params, Pass, Pool2dSpec, Result, Tensor};

/// conv 3→64, ReLU, max pool; conv 64→128, ReLU, max pool; linear 8192→512, ReLU; linear 512→10.
#[derive(Debug, Clone)]
pub struct SeedCnn {
    path: String,
    conv1: Conv2d,
    conv2: Conv2d,
    fc1: Linear,
    fc2: Linear,
}

impl SeedCnn {
    /// For images of at least 4 × 4.
    pub fn new(input: &InputSpec, params: &Params) -> Result<Self> {
        let [channels, height, width] = input.shape;
        let pooled = (height / 4).saturating_mul(width / 4); // 8 · 8: each pooling halves both sides
        Ok(Self {
            path: params.path().to_owned(),
            conv1: Conv2d::new(Conv2dConfig::new(channels, 64, 3).padding(1), &params.sub("conv1"))?,
            conv2: Conv2d::new(Conv2dConfig::new(64, 128, 3).padding(1), &params.sub("conv2"))?,
            fc1: Linear::new(LinearConfig::new(pooled.saturating_mul(128), 512), &params.sub("fc1"))?,
            fc2: Linear::new(LinearConfig::new(512, input.classes), &params.sub("fc2"))?,
        })
    }
}

impl ZooModel for SeedCnn {
    type Config = NoKeys;

    fn build(_: &NoKeys, input: &InputSpec, params: &Params) -> Result<Self> {
        Self::new(input, params)
    }
}

impl Module for SeedCnn {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let x = x.pass(&self.conv1, context)?.relu()?.max_pool2d(Pool2dSpec::square(2))?; // [N, 64, 16, 16]
            let x = x.pass(&self.conv2, context)?.relu()?.max_pool2d(Pool2dSpec::square(2))?; // [N, 128, 8, 8]
            let x = x.flatten(1)?.pass(&self.fc1, context)?.relu()?; //                          [N, 512]
            x.pass(&self.fc2, context) //                                                        [N, 10]
        })
    }
}
