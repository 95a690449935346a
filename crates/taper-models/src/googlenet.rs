//! GoogLeNet (C. Szegedy et al., "Going deeper with convolutions", CVPR 2015, table 1), as torchvision has it: batch norm
//! with ε = 0.001 behind every convolution; 3 × 3 where the paper has 5 × 5 (in the third branch of an inception block);
//! poolings that keep a last window reaching past the edge (`ceil_mode`); two auxiliary heads, which are there in training
//! alone. For ImageNet it has 6,624,904 parameters, 13,004,888 with the heads.

use crate::{InputSpec, ZooModel, input, width};
use taper_config::table;
use taper_nn::{
    AdaptiveAvgPool2d, BatchNorm2d, BatchNormConfig, Context, Conv2d, Conv2dConfig, Dropout, Error, Init, Linear,
    LinearConfig, MaxPool2d, Module, Named, Params, Pass, Result, Tensor,
};

table! {
    /// `[model]` of a [`GoogLeNet`].
    pub struct GoogLeNetConfig {
        /// Whether there are auxiliary heads, whose loss is added in training.
        aux_logits: bool = true, flag();
        /// Whether pictures that were normalised with ImageNet's means and deviations are normalised to ±1 instead.
        ///
        /// torchvision's published weights expect it.
        transform_input: bool = false, flag();
        /// The probability with which an input of the last linear layer is dropped in training.
        dropout: f64 = 0.2, fraction();
        /// The same in the auxiliary heads.
        dropout_aux: f64 = 0.7, fraction();
        /// The factor of all layers' channels.
        width: f64 = 1.0, between(0.01, 100.0);
    }
}

/// The weight of an auxiliary head's loss (section 5).
const AUXILIARY_WEIGHT: f64 = 0.3;

/// The smallest picture that the poolings leave something of. (In PyTorch `ceil_mode` keeps a window that is larger than what it
/// is to cover, so that torchvision's takes pictures of 15 × 15 too.)
const LEAST: [usize; 2] = [31, 31];

/// A stem of three convolutions, nine inception blocks with poolings between them, global average pooling, a linear layer.
#[derive(Debug, Clone)]
pub struct GoogLeNet {
    path: String,
    channels: usize,
    transform_input: bool,
    conv1: BasicConv2d,
    maxpool1: Named<MaxPool2d>,
    conv2: BasicConv2d,
    conv3: BasicConv2d,
    maxpool2: Named<MaxPool2d>,
    inception3a: Inception,
    inception3b: Inception,
    maxpool3: Named<MaxPool2d>,
    inception4a: Inception,
    inception4b: Inception,
    inception4c: Inception,
    inception4d: Inception,
    inception4e: Inception,
    maxpool4: Named<MaxPool2d>,
    inception5a: Inception,
    inception5b: Inception,
    heads: Option<[Head; 2]>,
    avgpool: Named<AdaptiveAvgPool2d>,
    dropout: Dropout,
    fc: Linear,
}

impl GoogLeNet {
    /// For pictures of at least 31 × 31.
    ///
    /// # Errors
    /// Smaller pictures, or other than three channels where `transform_input` is set.
    pub fn new(config: &GoogLeNetConfig, input: &InputSpec, params: &Params) -> Result<Self> {
        input.at_least("googlenet", LEAST)?;
        let channels = input.shape[0];
        if config.transform_input && channels != 3 {
            let detail = format!("transform_input expects pictures of 3 channels, came {}", input.told());
            return Err(Error::argument("googlenet", detail));
        }
        let w = |channels| width::of(channels, config.width);
        let conv = |name, from, to, size, stride| BasicConv2d::new(from, to, size, stride, &params.sub(name));
        let pool = |name, size| Named::new(MaxPool2d::new(size).stride(2).ceil_mode(true), &params.sub(name));
        let mut from = w(192);
        // The channels of the branches, as in table 1: 1 × 1; 3 × 3 reduced, 3 × 3; "5 × 5" reduced, "5 × 5"; pooled.
        let mut inception = |name, branches: [usize; 6]| {
            let block = Inception::new(from, branches.map(w), &params.sub(name))?;
            from = block.channels;
            Ok::<_, Error>(block)
        };
        Ok(Self {
            path: params.path().to_owned(),
            channels,
            transform_input: config.transform_input,
            conv1: conv("conv1", channels, w(64), 7, 2)?,
            maxpool1: pool("maxpool1", 3),
            conv2: conv("conv2", w(64), w(64), 1, 1)?,
            conv3: conv("conv3", w(64), w(192), 3, 1)?,
            maxpool2: pool("maxpool2", 3),
            inception3a: inception("inception3a", [64, 96, 128, 16, 32, 32])?,
            inception3b: inception("inception3b", [128, 128, 192, 32, 96, 64])?,
            maxpool3: pool("maxpool3", 3),
            inception4a: inception("inception4a", [192, 96, 208, 16, 48, 64])?,
            inception4b: inception("inception4b", [160, 112, 224, 24, 64, 64])?,
            inception4c: inception("inception4c", [128, 128, 256, 24, 64, 64])?,
            inception4d: inception("inception4d", [112, 144, 288, 32, 64, 64])?,
            inception4e: inception("inception4e", [256, 160, 320, 32, 128, 128])?,
            maxpool4: pool("maxpool4", 2),
            inception5a: inception("inception5a", [256, 160, 320, 32, 128, 128])?,
            inception5b: inception("inception5b", [384, 192, 384, 48, 128, 128])?,
            heads: config.aux_logits.then(|| heads(config, input, params)).transpose()?,
            avgpool: Named::new(AdaptiveAvgPool2d::new(1), &params.sub("avgpool")),
            dropout: Dropout::new(config.dropout, &params.sub("dropout"))?,
            fc: linear(from, input.classes, &params.sub("fc"))?,
        })
    }

    /// For pictures `[N, C, H, W]` the logits `[N, classes]`; and those of the heads `aux1` and `aux2`, which are behind
    /// `inception4a` and `inception4d`, in training with heads.
    pub fn forward_with_heads(&self, x: &Tensor, context: &Context) -> Result<(Tensor, Option<[Tensor; 2]>)> {
        context.layer(&self.path, |context| {
            input::at_least("googlenet", x, self.channels, LEAST)?;
            let x = if self.transform_input { transformed(x)? } else { x.clone() };
            let x = x.pass(&self.conv1, context)?.pass(&self.maxpool1, context)?; //          [N, 64, 56, 56]
            let x = x.pass(&self.conv2, context)?.pass(&self.conv3, context)?; //             [N, 192, 56, 56]
            let x = x.pass(&self.maxpool2, context)?.pass(&self.inception3a, context)?; //    [N, 256, 28, 28]
            let x = x.pass(&self.inception3b, context)?.pass(&self.maxpool3, context)?; //    [N, 480, 14, 14]
            let x4a = x.pass(&self.inception4a, context)?; //                                 [N, 512, 14, 14]
            let x = x4a.pass(&self.inception4b, context)?.pass(&self.inception4c, context)?; // [N, 512, 14, 14]
            let x4d = x.pass(&self.inception4d, context)?; //                                 [N, 528, 14, 14]
            let x = x4d.pass(&self.inception4e, context)?.pass(&self.maxpool4, context)?; //  [N, 832, 7, 7]
            let x = x.pass(&self.inception5a, context)?.pass(&self.inception5b, context)?; // [N, 1024, 7, 7]
            let x = x.pass(&self.avgpool, context)?.flatten(1)?; //                           [N, 1024]
            let logits = x.pass(&self.dropout, context)?.pass(&self.fc, context)?; //         [N, 1000]
            let heads = match self.heads.as_ref().filter(|_| context.is_training()) {
                Some([aux1, aux2]) => Some([x4a.pass(aux1, context)?, x4d.pass(aux2, context)?]),
                None => None,
            };
            Ok((logits, heads))
        })
    }
}

impl ZooModel for GoogLeNet {
    type Config = GoogLeNetConfig;

    fn build(config: &GoogLeNetConfig, input: &InputSpec, params: &Params) -> Result<Self> {
        Self::new(config, input, params)
    }
}

impl Module for GoogLeNet {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        Ok(self.forward_with_heads(x, context)?.0)
    }

    fn auxiliary(&self) -> Vec<(String, f64)> {
        self.heads.iter().flatten().map(|head| (head.path.clone(), AUXILIARY_WEIGHT)).collect()
    }
}

/// Pictures normalised with ImageNet's means and deviations, (p − μ) / σ, normalised to (p − 0.5) / 0.5 instead.
fn transformed(x: &Tensor) -> Result<Tensor> {
    let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let of = |values: [f64; 3]| Tensor::from_vec(values.to_vec(), [3, 1, 1], x.device())?.cast(x.dtype());
    x.mul(&of(std.map(|std| std / 0.5))?)?.add(&of(mean.map(|mean| (mean - 0.5) / 0.5))?)
}

/// Four branches side by side: 1 × 1; 1 × 1 and 3 × 3; the same again (5 × 5 in the paper); max pooling and 1 × 1.
#[derive(Debug, Clone)]
struct Inception {
    path: String,
    /// Of the output: the sum of the branches'.
    channels: usize,
    branch1: BasicConv2d,
    branch2: [BasicConv2d; 2],
    branch3: [BasicConv2d; 2],
    branch4: BasicConv2d,
}

impl Inception {
    fn new(from: usize, [c1, c3_reduced, c3, c5_reduced, c5, pooled]: [usize; 6], params: &Params) -> Result<Self> {
        let conv = |name, from, to, size| BasicConv2d::new(from, to, size, 1, &params.sub(name));
        Ok(Self {
            path: params.path().to_owned(),
            channels: c1 + c3 + c5 + pooled,
            branch1: conv("branch1", from, c1, 1)?,
            branch2: [conv("branch2.0", from, c3_reduced, 1)?, conv("branch2.1", c3_reduced, c3, 3)?],
            branch3: [conv("branch3.0", from, c5_reduced, 1)?, conv("branch3.1", c5_reduced, c5, 3)?],
            branch4: conv("branch4.1", from, pooled, 1)?, // branch4.0 is the pooling
        })
    }
}

impl Module for Inception {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let [reduce3, conv3] = &self.branch2;
            let [reduce5, conv5] = &self.branch3;
            let pooled = x.max_pool2d(MaxPool2d::new(3).stride(1).padding(1).ceil_mode(true).0)?;
            let branches = [
                x.pass(&self.branch1, context)?,
                x.pass(reduce3, context)?.pass(conv3, context)?,
                x.pass(reduce5, context)?.pass(conv5, context)?,
                pooled.pass(&self.branch4, context)?,
            ];
            Tensor::concat(&branches.each_ref(), 1)
        })
    }
}

/// An auxiliary head: average pooling to 4 × 4, 1 × 1 convolution to 128 channels, linear layers of 1024 and the classes.
#[derive(Debug, Clone)]
struct Head {
    path: String,
    conv: BasicConv2d,
    fc1: Linear,
    dropout: Dropout,
    fc2: Linear,
}

fn heads(config: &GoogLeNetConfig, input: &InputSpec, params: &Params) -> Result<[Head; 2]> {
    let w = |channels| width::of(channels, config.width);
    let head = |name, from| {
        let params = params.sub(name);
        Ok(Head {
            path: params.path().to_owned(),
            conv: BasicConv2d::new(from, w(128), 1, 1, &params.sub("conv"))?,
            fc1: linear(w(128) * 4 * 4, w(1024), &params.sub("fc1"))?,
            dropout: Dropout::new(config.dropout_aux, &params.sub("dropout"))?,
            fc2: linear(w(1024), input.classes, &params.sub("fc2"))?,
        })
    };
    // The outputs of inception4a and inception4d.
    let channels = |branches: [usize; 4]| branches.map(w).iter().sum();
    Ok([head("aux1", channels([192, 208, 48, 64]))?, head("aux2", channels([112, 288, 64, 64]))?])
}

impl Module for Head {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let x = x.adaptive_avg_pool2d([4, 4])?.pass(&self.conv, context)?.flatten(1)?; // [N, 2048]
            let x = x.pass(&self.fc1, context)?.relu()?; //                                   [N, 1024]
            x.pass(&self.dropout, context)?.pass(&self.fc2, context) //                       [N, 1000]
        })
    }
}

/// A convolution without bias, batch norm with ε = 0.001, ReLU.
#[derive(Debug, Clone)]
struct BasicConv2d {
    path: String,
    conv: Conv2d,
    bn: BatchNorm2d,
}

impl BasicConv2d {
    fn new(from: usize, to: usize, size: usize, stride: usize, params: &Params) -> Result<Self> {
        let config = Conv2dConfig::new(from, to, size).stride(stride).padding(size / 2).bias(false).init(INIT);
        Ok(Self {
            path: params.path().to_owned(),
            conv: Conv2d::new(config, &params.sub("conv"))?,
            bn: BatchNorm2d::new(BatchNormConfig::new(to).eps(1e-3), &params.sub("bn"))?,
        })
    }
}

impl Module for BasicConv2d {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| x.pass(&self.conv, context)?.pass(&self.bn, context)?.relu())
    }
}

/// torchvision's normal distribution, truncated at 200 standard deviations, which is where no number is.
const INIT: Init = Init::Normal { std: 0.01 };

fn linear(from: usize, to: usize, params: &Params) -> Result<Linear> {
    Linear::new(LinearConfig::new(from, to).init(INIT), params)
}
