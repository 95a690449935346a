//! VGG (K. Simonyan and A. Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015, table
//! 1: A, B, D and E), without and with batch norm, as torchvision has them: names, initialisation, and an average pooling to
//! 7 × 7 before the linear layers, so that pictures of other sizes fit. For ImageNet, VGG-11, 13, 16 and 19 have 132,863,336,
//! 133,047,848, 138,357,544 and 143,667,240 parameters; with batch norm 132,868,840, 133,053,736, 138,365,992 and 143,678,248.

use crate::registry::read;
use crate::{IMAGENET, InputSpec, ModelInfo, input, width};
use taper_config::{Schema, table, toml};
use taper_nn::{
    Activation, AdaptiveAvgPool2d, BatchNorm2d, BatchNormConfig, Context, Conv2d, Conv2dConfig, Dropout, Error, Init,
    Linear, LinearConfig, MaxPool2d, Module, Named, Params, Pass, Result, Sequential, Tensor,
};

table! {
    /// `[model]` of a [`Vgg`].
    pub struct VggConfig {
        /// The probability with which an output of the first two linear layers is dropped in training.
        dropout: f64 = 0.5, fraction();
        /// The factor of all layers' channels.
        width: f64 = 1.0, between(0.01, 100.0);
    }
}

/// The channels of the five stages, each of which ends with a max pooling that halves both sides.
const CHANNELS: [usize; 5] = [64, 128, 256, 512, 512];

/// `features`: 3 × 3 convolutions with ReLU in five stages; `avgpool`: to 7 × 7; `classifier`: linear layers of 4096, 4096
/// and the classes.
pub struct Vgg {
    path: String,
    channels: usize,
    features: Named<Sequential>,
    avgpool: Named<AdaptiveAvgPool2d>,
    classifier: Named<Sequential>,
}

/// The smallest picture that the poolings leave something of.
const LEAST: [usize; 2] = [32, 32];

impl Vgg {
    /// The network of `depth` layers with weights (11, 13, 16 or 19), with batch norm behind every convolution if `norm`,
    /// for pictures of at least 32 × 32.
    pub fn new(depth: usize, norm: bool, config: &VggConfig, input: &InputSpec, params: &Params) -> Result<Self> {
        // The convolutions of each stage.
        let stages = match depth {
            11 => [1, 1, 2, 2, 2],
            13 => [2, 2, 2, 2, 2],
            16 => [2, 2, 3, 3, 3],
            19 => [2, 2, 4, 4, 4],
            _ => return Err(Error::argument("vgg", format!("depth must be 11, 13, 16 or 19, came as {depth}"))),
        };
        input.at_least("vgg", LEAST)?;
        let w = |channels| width::of(channels, config.width);
        let at = |block: &str, i: usize| params.sub(format!("{block}.{i}"));
        // i counts every layer, as torchvision's nn.Sequential does.
        let (mut features, mut i, mut from) = (Sequential::new(), 0, input.shape[0]);
        for (count, to) in stages.into_iter().zip(CHANNELS.map(w)) {
            for _ in 0..count {
                features = features.then(conv(from, to, &at("features", i))?); // [N, to, H, W]
                if norm {
                    features = features.then(BatchNorm2d::new(BatchNormConfig::new(to), &at("features", i + 1))?);
                }
                features = features.then(Activation::Relu);
                (i, from) = (i + if norm { 3 } else { 2 }, to);
            }
            (features, i) = (features.then(MaxPool2d::new(2)), i + 1); // [N, to, H / 2, W / 2]
        }
        let linear = |i, from, to| {
            let config = LinearConfig::new(from, to).init(Init::Normal { std: 0.01 }).bias_init(Init::Zeros);
            Linear::new(config, &at("classifier", i))
        };
        let dropout = |i| Dropout::new(config.dropout, &at("classifier", i));
        let classifier = Sequential::new()
            .then(linear(0, w(512) * 7 * 7, w(4096))?) // [N, 4096]
            .then(Activation::Relu)
            .then(dropout(2)?)
            .then(linear(3, w(4096), w(4096))?) //        [N, 4096]
            .then(Activation::Relu)
            .then(dropout(5)?)
            .then(linear(6, w(4096), input.classes)?); // [N, 1000]
        Ok(Self {
            path: params.path().to_owned(),
            channels: input.shape[0],
            features: Named::new(features, &params.sub("features")),
            avgpool: Named::new(AdaptiveAvgPool2d::new(7), &params.sub("avgpool")),
            classifier: Named::new(classifier, &params.sub("classifier")),
        })
    }
}

/// A 3 × 3 convolution, initialised as in torchvision: normal with variance 2 / fan_out, biases of 0.
fn conv(from: usize, to: usize, params: &Params) -> Result<Conv2d> {
    let std = (2.0 / (to * 9) as f64).sqrt();
    Conv2d::new(Conv2dConfig::new(from, to, 3).padding(1).init(Init::Normal { std }).bias_init(Init::Zeros), params)
}

/// The network of `DEPTH` by its name, with batch norm if `NORM`; `source` says which of the paper's it is.
pub(crate) const fn vgg<const DEPTH: usize, const NORM: bool>(
    name: &'static str,
    summary: &'static str,
    source: &'static str,
) -> ModelInfo {
    fn build<const DEPTH: usize, const NORM: bool>(
        input: &InputSpec,
        values: &toml::Table,
        params: &Params,
    ) -> Result<Box<dyn Module>> {
        Ok(Box::new(Vgg::new(DEPTH, NORM, &read(values)?, input, params)?))
    }
    ModelInfo::built(name, summary, source, IMAGENET, Schema::of::<VggConfig>(), build::<DEPTH, NORM>)
}

impl Module for Vgg {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            input::at_least("vgg", x, self.channels, LEAST)?;
            let x = x.pass(&self.features, context)?; //             [N, 512, 7, 7]
            let x = x.pass(&self.avgpool, context)?.flatten(1)?; // [N, 25088]
            x.pass(&self.classifier, context) //                    [N, 1000]
        })
    }
}
