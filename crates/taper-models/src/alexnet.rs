//! AlexNet as torchvision has it: A. Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014,
//! the network of one GPU, without the response normalisation of the paper of 2012 (Krizhevsky, Sutskever and Hinton,
//! "ImageNet classification with deep convolutional neural networks"). 61,100,840 parameters for ImageNet.

use crate::{InputSpec, ZooModel, input, width};
use taper_config::table;
use taper_nn::{
    Activation, AdaptiveAvgPool2d, Context, Conv2d, Conv2dConfig, Dropout, Linear, LinearConfig, MaxPool2d, Module,
    Named, Params, Pass, Result, Sequential, Tensor,
};

table! {
    /// `[model]` of an [`AlexNet`].
    pub struct AlexNetConfig {
        /// The probability with which a value before the first two linear layers is dropped in training.
        dropout: f64 = 0.5, fraction();
        /// The factor of all layers' channels.
        width: f64 = 1.0, between(0.01, 100.0);
    }
}

/// `features`: five convolutions with ReLU, and three max poolings; `avgpool`: to 6 × 6; `classifier`: three linear layers.
pub struct AlexNet {
    path: String,
    channels: usize,
    features: Named<Sequential>,
    avgpool: Named<AdaptiveAvgPool2d>,
    classifier: Named<Sequential>,
}

/// The smallest picture that the poolings leave something of.
const LEAST: [usize; 2] = [63, 63];

impl AlexNet {
    /// For pictures of at least 63 × 63.
    pub fn new(config: &AlexNetConfig, input: &InputSpec, params: &Params) -> Result<Self> {
        input.at_least("alexnet", LEAST)?;
        let channels = input.shape[0];
        let [w64, w192, w256, w384, w4096] = [64, 192, 256, 384, 4096].map(|size| width::of(size, config.width));
        let at = |block: &str, i: usize| params.sub(format!("{block}.{i}"));
        let conv =
            |i, from, to, size| Conv2d::new(Conv2dConfig::new(from, to, size).padding(size / 2), &at("features", i));
        let first = Conv2dConfig::new(channels, w64, 11).stride(4).padding(2);
        let pool = || MaxPool2d::new(3).stride(2);
        let features = Sequential::new()
            .then(Conv2d::new(first, &at("features", 0))?) // [N, 64, 55, 55]
            .then(Activation::Relu)
            .then(pool()) //                                  [N, 64, 27, 27]
            .then(conv(3, w64, w192, 5)?) //                    [N, 192, 27, 27]
            .then(Activation::Relu)
            .then(pool()) //                                  [N, 192, 13, 13]
            .then(conv(6, w192, w384, 3)?) //                   [N, 384, 13, 13]
            .then(Activation::Relu)
            .then(conv(8, w384, w256, 3)?) //                   [N, 256, 13, 13]
            .then(Activation::Relu)
            .then(conv(10, w256, w256, 3)?) //                  [N, 256, 13, 13]
            .then(Activation::Relu)
            .then(pool()); //                                 [N, 256, 6, 6]
        let linear = |i, from, to| Linear::new(LinearConfig::new(from, to), &at("classifier", i));
        let dropout = |i| Dropout::new(config.dropout, &at("classifier", i));
        let classifier = Sequential::new()
            .then(dropout(0)?) //                     [N, 9216]
            .then(linear(1, w256 * 6 * 6, w4096)?) //   [N, 4096]
            .then(Activation::Relu)
            .then(dropout(3)?)
            .then(linear(4, w4096, w4096)?) //          [N, 4096]
            .then(Activation::Relu)
            .then(linear(6, w4096, input.classes)?); // [N, 1000]
        Ok(Self {
            path: params.path().to_owned(),
            channels,
            features: Named::new(features, &params.sub("features")),
            avgpool: Named::new(AdaptiveAvgPool2d::new(6), &params.sub("avgpool")),
            classifier: Named::new(classifier, &params.sub("classifier")),
        })
    }
}

impl ZooModel for AlexNet {
    type Config = AlexNetConfig;

    fn build(config: &AlexNetConfig, input: &InputSpec, params: &Params) -> Result<Self> {
        Self::new(config, input, params)
    }
}

impl Module for AlexNet {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            input::at_least("alexnet", x, self.channels, LEAST)?;
            let x = x.pass(&self.features, context)?.pass(&self.avgpool, context)?.flatten(1)?; // [N, 9216]
            x.pass(&self.classifier, context) //                                                   [N, 1000]
        })
    }
}
