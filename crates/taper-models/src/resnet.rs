//! Residual networks (K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image recognition", CVPR 2016, table 1),
//! as torchvision has them: names, initialisation, and the stride of a bottleneck in its 3 × 3 convolution instead of the
//! first 1 × 1 ("v1.5"). For ImageNet, ResNet-18, 34, 50, 101 and 152 have 11,689,512, 21,797,672, 25,557,032, 44,549,160 and
//! 60,192,808 parameters.
//!
//! For small pictures the stem is a 3 × 3 convolution without pooling behind it, as in the paper's section 4.2: ResNet-18 has
//! 11,173,962 parameters for CIFAR-10 then.

use crate::registry::read;
use crate::{IMAGENET, InputSpec, ModelInfo, input, width};
use taper_config::{Schema, table, toml};
use taper_nn::{
    AdaptiveAvgPool2d, BatchNorm2d, BatchNormConfig, Context, Conv2d, Conv2dConfig, Error, Init, Linear, LinearConfig,
    MaxPool2d, Module, Named, Params, Pass, Result, Tensor,
};

table! {
    /// `[model]` of a [`ResNet`].
    pub struct ResNetConfig {
        /// The layers before the first stage.
        ///
        /// `imagenet`: a 7 × 7 convolution of stride 2 and a max pooling, torchvision's. `cifar`: a 3 × 3 convolution. `auto`:
        /// the first for pictures larger than 64 × 64, the second for others.
        stem: String = "auto".into(), one_of(&["auto", "imagenet", "cifar"]);
        /// The factor of all layers' channels.
        width: f64 = 1.0, between(0.01, 100.0);
    }
}

/// The largest height and width for which the stem is the small one, unless it is set.
const SMALL: usize = 64;

/// `conv1`, `bn1` and ReLU, and max pooling for large pictures; four stages `layer1` to `layer4` of residual blocks with 64,
/// 128, 256 and 512 channels (4 times as many out of bottlenecks); global average pooling; `fc`.
#[derive(Debug, Clone)]
pub struct ResNet {
    path: String,
    channels: usize,
    conv1: Conv2d,
    bn1: BatchNorm2d,
    maxpool: Option<Named<MaxPool2d>>,
    stages: Vec<Stage>,
    avgpool: Named<AdaptiveAvgPool2d>,
    fc: Linear,
}

impl ResNet {
    /// The network of `depth` layers (18, 34, 50, 101 or 152), for pictures of any size.
    pub fn new(depth: usize, config: &ResNetConfig, input: &InputSpec, params: &Params) -> Result<Self> {
        // Whether blocks are bottlenecks, and how many blocks a stage has.
        let (bottleneck, counts) = match depth {
            18 => (false, [2, 2, 2, 2]),
            34 => (false, [3, 4, 6, 3]),
            50 => (true, [3, 4, 6, 3]),
            101 => (true, [3, 4, 23, 3]),
            152 => (true, [3, 8, 36, 3]),
            _ => {
                let detail = format!("depth must be 18, 34, 50, 101 or 152, came as {depth}");
                return Err(Error::argument("resnet", detail));
            }
        };
        input.at_least("resnet", [1, 1])?;
        let [channels, height, width] = input.shape;
        let large = match config.stem.as_str() {
            "imagenet" => true,
            "cifar" => false,
            _ => height.max(width) > SMALL,
        };
        let w = |channels| width::of(channels, config.width);
        let (size, stride) = if large { (7, 2) } else { (3, 1) };
        let conv1 = conv([channels, w(64)], size, stride, &params.sub("conv1"))?;
        let bn1 = norm(w(64), &params.sub("bn1"))?;
        let maxpool = MaxPool2d::new(3).stride(2).padding(1);
        let mut stages = Vec::new();
        let mut from = w(64);
        for (stage, (count, channels)) in counts.into_iter().zip([64, 128, 256, 512]).enumerate() {
            let (params, mut blocks) = (params.sub(format!("layer{}", stage + 1)), Vec::new());
            for block in 0..count {
                let stride = if block == 0 && stage > 0 { 2 } else { 1 };
                let params = params.sub(block.to_string());
                let block = match bottleneck {
                    true => Block::bottleneck([from, w(channels), 4 * w(channels)], stride, &params),
                    false => Block::basic([from, w(channels)], stride, Block::projection, &params),
                }?;
                from = block.channels;
                blocks.push(block);
            }
            stages.push(Stage::new(blocks, &params));
        }
        let avgpool = Named::new(AdaptiveAvgPool2d::new(1), &params.sub("avgpool"));
        let fc = Linear::new(LinearConfig::new(from, input.classes), &params.sub("fc"))?;
        let maxpool = large.then(|| Named::new(maxpool, &params.sub("maxpool")));
        Ok(Self { path: params.path().to_owned(), channels, conv1, bn1, maxpool, stages, avgpool, fc })
    }
}

/// The network of `DEPTH` by its name.
pub(crate) const fn resnet<const DEPTH: usize>(name: &'static str, summary: &'static str) -> ModelInfo {
    fn build<const DEPTH: usize>(input: &InputSpec, values: &toml::Table, params: &Params) -> Result<Box<dyn Module>> {
        Ok(Box::new(ResNet::new(DEPTH, &read(values)?, input, params)?))
    }
    let schema = Schema::of::<ResNetConfig>();
    ModelInfo::built(name, summary, "He et al. 2016, table 1", IMAGENET, schema, build::<DEPTH>)
}

impl Module for ResNet {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            input::at_least("resnet", x, self.channels, [1, 1])?;
            let x = x.pass(&self.conv1, context)?.pass(&self.bn1, context)?.relu()?; //     [N, 64, 112, 112]
            let x = self.maxpool.iter().try_fold(x, |x, pool| x.pass(pool, context))?; //   [N, 64, 56, 56]
            let x = self.stages.iter().try_fold(x, |x, stage| x.pass(stage, context))?; // [N, 512 or 2048, 7, 7]
            x.pass(&self.avgpool, context)?.flatten(1)?.pass(&self.fc, context) //         [N, 1000]
        })
    }
}

/// Residual blocks, of which the first may change channels and size.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    path: String,
    blocks: Vec<Block>,
}

impl Stage {
    pub(crate) fn new(blocks: Vec<Block>, params: &Params) -> Self {
        Self { path: params.path().to_owned(), blocks }
    }
}

impl Module for Stage {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| self.blocks.iter().try_fold(x.clone(), |x, block| x.pass(block, context)))
    }
}

/// y = relu(F(x) + shortcut(x)), with F convolutions, each with batch norm, and ReLU between them.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    path: String,
    /// Of the output.
    pub(crate) channels: usize,
    layers: Vec<(Conv2d, BatchNorm2d)>,
    shortcut: Shortcut,
}

/// How a block's input reaches its output.
#[derive(Debug, Clone)]
pub(crate) enum Shortcut {
    Identity,
    /// Option B of the paper, where the shape changes: a 1 × 1 convolution and batch norm, `downsample`.
    Projection {
        path: String,
        conv: Box<Conv2d>,
        bn: Box<BatchNorm2d>,
    },
    /// Option A: see [`crate::resnet_cifar`].
    Padded {
        stride: usize,
        channels: usize,
    },
}

/// Makes the shortcut of a block `[inputs, outputs]` with this stride, which changes the shape.
pub(crate) type Change = fn([usize; 2], usize, &Params) -> Result<Shortcut>;

impl Block {
    /// Two 3 × 3 convolutions, the first with the stride.
    pub(crate) fn basic([from, to]: [usize; 2], stride: usize, change: Change, params: &Params) -> Result<Self> {
        Self::new(from, &[(to, 3, stride), (to, 3, 1)], change, params)
    }

    /// A 1 × 1 convolution to fewer channels, a 3 × 3 with the stride, a 1 × 1 to more channels.
    fn bottleneck([from, middle, to]: [usize; 3], stride: usize, params: &Params) -> Result<Self> {
        Self::new(from, &[(middle, 1, 1), (middle, 3, stride), (to, 1, 1)], Self::projection, params)
    }

    /// With convolutions of these output channels, sizes and strides.
    fn new(from: usize, convs: &[(usize, usize, usize)], change: Change, params: &Params) -> Result<Self> {
        let (mut layers, mut channels, mut stride) = (Vec::new(), from, 1);
        for (i, &(to, size, step)) in convs.iter().enumerate() {
            let conv = conv([channels, to], size, step, &params.sub(format!("conv{}", i + 1)))?;
            layers.push((conv, norm(to, &params.sub(format!("bn{}", i + 1)))?));
            (channels, stride) = (to, stride * step);
        }
        let shortcut = match stride != 1 || from != channels {
            true => change([from, channels], stride, params)?,
            false => Shortcut::Identity,
        };
        Ok(Self { path: params.path().to_owned(), channels, layers, shortcut })
    }

    pub(crate) fn projection([from, to]: [usize; 2], stride: usize, params: &Params) -> Result<Shortcut> {
        let params = params.sub("downsample");
        let conv = Box::new(conv([from, to], 1, stride, &params.sub("0"))?);
        Ok(Shortcut::Projection { path: params.path().to_owned(), conv, bn: Box::new(norm(to, &params.sub("1"))?) })
    }
}

impl Module for Block {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let mut y = x.clone();
            for (i, (conv, bn)) in self.layers.iter().enumerate() {
                let before = if i > 0 { y.relu()? } else { y };
                y = before.pass(conv, context)?.pass(bn, context)?;
            }
            y.add(&x.pass(&self.shortcut, context)?)?.relu()
        })
    }
}

impl Module for Shortcut {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        match self {
            Self::Identity => Ok(x.clone()),
            Self::Projection { path, conv, bn } => {
                context.layer(path, |context| x.pass(&**conv, context)?.pass(&**bn, context))
            }
            Self::Padded { stride, channels } => crate::resnet_cifar::padded(x, *stride, *channels),
        }
    }
}

/// A convolution without bias, initialised as in torchvision: normal with variance 2 / fan_out.
pub(crate) fn conv([from, to]: [usize; 2], size: usize, stride: usize, params: &Params) -> Result<Conv2d> {
    let std = (2.0 / (to as f64 * (size * size) as f64)).sqrt();
    let config = Conv2dConfig::new(from, to, size).stride(stride).padding(size / 2).bias(false);
    Conv2d::new(config.init(Init::Normal { std }), params)
}

pub(crate) fn norm(channels: usize, params: &Params) -> Result<BatchNorm2d> {
    BatchNorm2d::new(BatchNormConfig::new(channels), params)
}
