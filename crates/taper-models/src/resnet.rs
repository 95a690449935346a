//! ResNet-18 (He et al., "Deep residual learning for image recognition", CVPR 2016) for small images: a 3 × 3 stem
//! without pooling, as in the paper's section 4.2, before the four stages of its ImageNet networks. Parameter names and
//! initialisation are torchvision's.

use crate::{InputSpec, NoKeys, ZooModel};
use taper_nn::{
    AdaptiveAvgPool2d, BatchNorm2d, BatchNormConfig, Context, Conv2d, Conv2dConfig, Init, Linear, LinearConfig, Module,
    Named, Params, Pass, Result, Tensor,
};

/// The output channels of a stage, and the stride of its first block.
const STAGES: [(usize, usize); 4] = [(64, 1), (128, 2), (256, 2), (512, 2)];

/// conv 3→64, batch norm, ReLU; four stages of two basic blocks with 64, 128, 256, 512 channels; global average
/// pooling; linear. For CIFAR-10 it has 11,173,962 parameters.
#[derive(Debug, Clone)]
pub struct ResNet18 {
    path: String,
    conv1: Conv2d,
    bn1: BatchNorm2d,
    stages: Vec<Stage>,
    avgpool: Named<AdaptiveAvgPool2d>,
    fc: Linear,
}

/// `layer1` to `layer4`: two blocks, of which the first may change channels and size.
#[derive(Debug, Clone)]
struct Stage {
    path: String,
    blocks: [BasicBlock; 2],
}

/// y = relu(F(x) + shortcut(x)) with F = conv, batch norm, ReLU, conv, batch norm. The shortcut is the identity, or a
/// 1 × 1 convolution and batch norm where the shape changes.
#[derive(Debug, Clone)]
struct BasicBlock {
    path: String,
    conv1: Conv2d,
    bn1: BatchNorm2d,
    conv2: Conv2d,
    bn2: BatchNorm2d,
    downsample: Option<Downsample>,
}

/// A 1 × 1 convolution and batch norm.
#[derive(Debug, Clone)]
struct Downsample {
    path: String,
    conv: Conv2d,
    bn: BatchNorm2d,
}

impl ResNet18 {
    /// For images of any size; the last stage reduces those of at most 8 × 8 to one position.
    pub fn new(input: &InputSpec, params: &Params) -> Result<Self> {
        let conv1 = conv([input.shape[0], 64], 3, 1, &params.sub("conv1"))?;
        let bn1 = norm(64, &params.sub("bn1"))?;
        let (mut stages, mut channels) = (Vec::new(), 64);
        for (stage, (outputs, stride)) in STAGES.into_iter().enumerate() {
            stages.push(Stage::new([channels, outputs], stride, &params.sub(format!("layer{}", stage + 1)))?);
            channels = outputs;
        }
        let avgpool = Named::new(AdaptiveAvgPool2d::new(1), &params.sub("avgpool"));
        let fc = Linear::new(LinearConfig::new(channels, input.classes), &params.sub("fc"))?;
        Ok(Self { path: params.path().to_owned(), conv1, bn1, stages, avgpool, fc })
    }
}

impl Stage {
    fn new([inputs, outputs]: [usize; 2], stride: usize, params: &Params) -> Result<Self> {
        let first = BasicBlock::new([inputs, outputs], stride, &params.sub("0"))?;
        let second = BasicBlock::new([outputs, outputs], 1, &params.sub("1"))?;
        Ok(Self { path: params.path().to_owned(), blocks: [first, second] })
    }
}

impl BasicBlock {
    fn new([inputs, outputs]: [usize; 2], stride: usize, params: &Params) -> Result<Self> {
        let conv1 = conv([inputs, outputs], 3, stride, &params.sub("conv1"))?;
        let bn1 = norm(outputs, &params.sub("bn1"))?;
        let conv2 = conv([outputs, outputs], 3, 1, &params.sub("conv2"))?;
        let bn2 = norm(outputs, &params.sub("bn2"))?;
        let downsample = if stride != 1 || inputs != outputs {
            let params = params.sub("downsample");
            let (conv, bn) = (conv([inputs, outputs], 1, stride, &params.sub("0"))?, norm(outputs, &params.sub("1"))?);
            Some(Downsample { path: params.path().to_owned(), conv, bn })
        } else {
            None
        };
        Ok(Self { path: params.path().to_owned(), conv1, bn1, conv2, bn2, downsample })
    }
}

/// A convolution without bias, initialised as in torchvision: normal with variance 2 / fan_out.
fn conv([inputs, outputs]: [usize; 2], size: usize, stride: usize, params: &Params) -> Result<Conv2d> {
    let std = (2.0 / (outputs * size * size) as f64).sqrt();
    let config = Conv2dConfig::new(inputs, outputs, size).stride(stride).padding(size / 2).bias(false);
    Conv2d::new(config.init(Init::Normal { std }), params)
}

fn norm(channels: usize, params: &Params) -> Result<BatchNorm2d> {
    BatchNorm2d::new(BatchNormConfig::new(channels), params)
}

impl ZooModel for ResNet18 {
    type Config = NoKeys;

    fn build(_: &NoKeys, input: &InputSpec, params: &Params) -> Result<Self> {
        Self::new(input, params)
    }
}

impl Module for ResNet18 {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let x = x.pass(&self.conv1, context)?.pass(&self.bn1, context)?.relu()?; //     [N, 64, 32, 32]
            let x = self.stages.iter().try_fold(x, |x, stage| x.pass(stage, context))?; // [N, 512, 4, 4]
            x.pass(&self.avgpool, context)?.flatten(1)?.pass(&self.fc, context) //         [N, 10]
        })
    }
}

impl Module for Stage {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| x.pass(&self.blocks[0], context)?.pass(&self.blocks[1], context))
    }
}

impl Module for BasicBlock {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let y = x.pass(&self.conv1, context)?.pass(&self.bn1, context)?.relu()?;
            let y = y.pass(&self.conv2, context)?.pass(&self.bn2, context)?;
            let Some(downsample) = &self.downsample else { return y.add(x)?.relu() };
            y.add(&x.pass(downsample, context)?)?.relu()
        })
    }
}

impl Module for Downsample {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| x.pass(&self.conv, context)?.pass(&self.bn, context))
    }
}
