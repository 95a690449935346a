//! The residual networks for CIFAR-10 of He et al., "Deep residual learning for image recognition", CVPR 2016, section 4.2
//! and table 6: 6n + 2 layers. Where the shape changes, the shortcut has no parameters (option A): every second pixel, and
//! channels of zeros. ResNet-20, 32, 56 and 110 have 269,722, 464,154, 853,018 and 1,727,962 parameters.
//!
//! Names are those of the best known implementation in PyTorch (Y. Idelbayev, "Proper ResNet implementation for
//! CIFAR10/CIFAR100 in PyTorch"). Convolutions are initialised as in [`resnet`](crate::resnet), by fan_out.

use crate::registry::read;
use crate::resnet::{Block, Shortcut, Stage, conv, norm};
use crate::{CIFAR10, InputSpec, ModelInfo, input, width};
use taper_config::{Schema, table, toml};
use taper_nn::taper_tensor::{PadAmount, SliceRange};
use taper_nn::{
    AdaptiveAvgPool2d, BatchNorm2d, Context, Conv2d, Error, Linear, LinearConfig, Module, Named, Params, Pass, Result,
    Tensor,
};

table! {
    /// `[model]` of a [`CifarResNet`].
    pub struct CifarResNetConfig {
        /// The factor of all layers' channels.
        width: f64 = 1.0, between(0.01, 100.0);
    }
}

/// `conv1`, `bn1` and ReLU; three stages `layer1` to `layer3` of n basic blocks with 16, 32 and 64 channels; global average
/// pooling; `linear`.
#[derive(Debug, Clone)]
pub struct CifarResNet {
    path: String,
    channels: usize,
    conv1: Conv2d,
    bn1: BatchNorm2d,
    stages: Vec<Stage>,
    avgpool: Named<AdaptiveAvgPool2d>,
    linear: Linear,
}

impl CifarResNet {
    /// The network of `depth` layers, 6n + 2 for some n, for pictures of any size.
    pub fn new(depth: usize, config: &CifarResNetConfig, input: &InputSpec, params: &Params) -> Result<Self> {
        if depth < 8 || depth % 6 != 2 {
            let detail = format!("depth must be 6n + 2, such as 20 or 110, came as {depth}");
            return Err(Error::argument("cifar_resnet", detail));
        }
        input.at_least("cifar_resnet", [1, 1])?;
        let w = |channels| width::of(channels, config.width);
        let channels = input.shape[0];
        let conv1 = conv([channels, w(16)], 3, 1, &params.sub("conv1"))?;
        let bn1 = norm(w(16), &params.sub("bn1"))?;
        let (mut stages, mut from) = (Vec::new(), w(16));
        for (stage, to) in [16, 32, 64].map(w).into_iter().enumerate() {
            let (params, mut blocks) = (params.sub(format!("layer{}", stage + 1)), Vec::new());
            for block in 0..(depth - 2) / 6 {
                let stride = if block == 0 && stage > 0 { 2 } else { 1 };
                blocks.push(Block::basic([from, to], stride, option_a, &params.sub(block.to_string()))?);
                from = to;
            }
            stages.push(Stage::new(blocks, &params));
        }
        let avgpool = Named::new(AdaptiveAvgPool2d::new(1), &params.sub("avgpool"));
        let linear = Linear::new(LinearConfig::new(from, input.classes), &params.sub("linear"))?;
        Ok(Self { path: params.path().to_owned(), channels, conv1, bn1, stages, avgpool, linear })
    }
}

/// The network of `DEPTH` by its name.
pub(crate) const fn cifar_resnet<const DEPTH: usize>(name: &'static str, summary: &'static str) -> ModelInfo {
    fn build<const DEPTH: usize>(input: &InputSpec, values: &toml::Table, params: &Params) -> Result<Box<dyn Module>> {
        Ok(Box::new(CifarResNet::new(DEPTH, &read(values)?, input, params)?))
    }
    let schema = Schema::of::<CifarResNetConfig>();
    ModelInfo::built(name, summary, "He et al. 2016, table 6", CIFAR10, schema, build::<DEPTH>)
}

impl Module for CifarResNet {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            input::at_least("cifar_resnet", x, self.channels, [1, 1])?;
            let x = x.pass(&self.conv1, context)?.pass(&self.bn1, context)?.relu()?; //     [N, 16, 32, 32]
            let x = self.stages.iter().try_fold(x, |x, stage| x.pass(stage, context))?; // [N, 64, 8, 8]
            x.pass(&self.avgpool, context)?.flatten(1)?.pass(&self.linear, context) //     [N, 10]
        })
    }
}

fn option_a([_, to]: [usize; 2], stride: usize, _: &Params) -> Result<Shortcut> {
    Ok(Shortcut::Padded { stride, channels: to })
}

/// Every `stride`-th pixel of x: `[N, C, H, W]` down and across, between channels of zeros: `[N, channels, H', W']`. As many
/// are before x's own as behind them.
pub(crate) fn padded(x: &Tensor, stride: usize, channels: usize) -> Result<Tensor> {
    let [n, c, h, w] = x.dims()?;
    let every = |size| SliceRange { start: 0, end: size, step: stride };
    let x = x.slice(&[SliceRange::new(0, n), SliceRange::new(0, c), every(h), every(w)])?;
    let more = channels.saturating_sub(c);
    let around = PadAmount { low: more / 2, high: more - more / 2, interior: 0 };
    let none = PadAmount::default();
    x.pad(&[none, around, none, none], 0.0)
}
