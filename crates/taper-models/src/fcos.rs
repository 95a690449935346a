//! A single-shot detector without anchors on any backbone: the head of FCOS (Tian et al., "FCOS: fully convolutional one-stage
//! object detection", ICCV 2019, figure 2) on one map of features, with torchvision's names.
//!
//! The paper's head runs on five maps of a feature pyramid, each for objects of some sizes; on one map it finds one object at a
//! position. What a position has to say ([`FcosTargets`]) and the loss are in `fcos/targets.rs`, boxes and the suppression of
//! doubles ([`nms`]) in `fcos/boxes.rs`.

mod boxes;
mod targets;

pub use boxes::{Detection, DetectionOptions, box_iou, nms};
pub use targets::{FcosLoss, FcosTargets, Object};

use crate::SampledModel;
use taper_config::table;
use taper_nn::{
    Context, Conv2d, Conv2dConfig, DType, Device, Error, GroupNorm, GroupNormConfig, Init, Module, Params, Pass,
    Result, Tensor,
};

table! {
    /// The configuration of [`Fcos`].
    #[derive(Copy)]
    pub struct FcosConfig {
        /// Channels of the backbone's features; a multiple of `groups`.
        in_channels: usize = 256, at_least(1);
        /// The number of classes.
        classes: usize = 80, at_least(1);
        /// Pixels of the picture from one position of the features to the next.
        stride: usize = 8, at_least(1);
        /// 3 × 3 convolutions of either tower.
        convs: usize = 4, at_least(0);
        /// Groups of the group norms.
        groups: usize = 32, at_least(1);
        /// The height and width of the features of the sample that it is listed with.
        size: usize = 100, at_least(1);
    }
}

impl FcosConfig {
    /// With four convolutions and 32 groups, as in the paper.
    pub fn new(in_channels: usize, classes: usize, stride: usize) -> Self {
        Self { in_channels, classes, stride, ..Self::default() }
    }

    /// Sets the number of convolutions of either tower.
    pub fn convs(self, convs: usize) -> Self {
        Self { convs, ..self }
    }

    /// Sets the number of groups of the group norms.
    pub fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }
}

/// For each position of `[N, C, h, w]`: a logit for each class, the distances from the position to the sides of a box, and how
/// near the middle of the box the position is. Position (i, j) is the pixel (⌊s/2⌋ + s·j, ⌊s/2⌋ + s·i) of the picture, for
/// the stride s.
#[derive(Debug, Clone)]
pub struct Fcos {
    path: String,
    config: FcosConfig,
    classification: Tower,
    cls_logits: Conv2d,
    regression: Tower,
    bbox_reg: Conv2d,
    bbox_ctrness: Conv2d,
}

/// Convolution 3 × 3, group norm, ReLU; some times.
#[derive(Debug, Clone)]
struct Tower {
    path: String,
    layers: Vec<(Conv2d, GroupNorm)>,
}

/// What [`Fcos`] finds at the positions of N pictures, row by row: P = h·w of them each.
#[derive(Debug, Clone)]
pub struct FcosOutput {
    /// Logits of the classes, `[N, P, classes]`; each is on its own, so that all may be low.
    pub logits: Tensor,
    /// Distances to the left, upper, right and lower side of the box in strides, at least 0: `[N, P, 4]`.
    pub distances: Tensor,
    /// Logits of the centerness, `[N, P]`.
    pub centerness: Tensor,
    /// The grid, h and w.
    pub grid: [usize; 2],
}

impl Fcos {
    /// Creates the parameters in `params`, initialised as in the paper: normal weights with standard deviation 0.01, and
    /// biases such that each class has a probability of 0.01 at first.
    ///
    /// # Errors
    /// A number that is 0, groups that do not divide the channels.
    pub fn new(config: FcosConfig, params: &Params) -> Result<Self> {
        let FcosConfig { in_channels: channels, classes, stride, convs, groups, .. } = config;
        if stride == 0 {
            return Err(Error::argument("fcos", "stride must be at least 1, came as 0"));
        }
        let (classification, regression) = (params.sub("classification_head"), params.sub("regression_head"));
        let tower = |params: &Params| Tower::new(channels, convs, groups, &params.sub("conv"));
        let last = |name: &str, outputs, bias, params: &Params| conv(channels, outputs, bias, &params.sub(name));
        Ok(Self {
            path: params.path().to_owned(),
            config,
            classification: tower(&classification)?,
            cls_logits: last("cls_logits", classes, -(99f64.ln()), &classification)?,
            regression: tower(&regression)?,
            bbox_reg: last("bbox_reg", 4, 0.0, &regression)?,
            bbox_ctrness: last("bbox_ctrness", 1, 0.0, &regression)?,
        })
    }

    /// The configuration.
    pub fn config(&self) -> FcosConfig {
        self.config
    }

    /// What is at the positions of `features: [N, C, h, w]`.
    pub fn forward(&self, features: &Tensor, context: &Context) -> Result<FcosOutput> {
        // [N, K, h, w] → [N, h·w, K]
        let rows =
            |x: Tensor| x.reshape([&x.shape()[..2], &[x.shape()[2..].iter().product()]].concat())?.transpose(1, 2);
        let (logits, (distances, centerness)) = context.layer(&self.path, |context| {
            let x = features.pass(&self.classification, context)?; //                      [N, C, h, w]
            let logits = rows(x.pass(&self.cls_logits, context)?)?; //                     [N, h·w, classes]
            let x = features.pass(&self.regression, context)?; //                          [N, C, h, w]
            let distances = rows(x.pass(&self.bbox_reg, context)?.relu()?)?; //            [N, h·w, 4]
            let centerness = rows(x.pass(&self.bbox_ctrness, context)?)?.squeeze(2)?; //   [N, h·w]
            Ok((logits, (distances, centerness)))
        })?;
        let grid = [features.shape()[2], features.shape()[3]];
        Ok(FcosOutput { logits, distances, centerness, grid })
    }
}

impl Tower {
    fn new(channels: usize, convs: usize, groups: usize, params: &Params) -> Result<Self> {
        // Places in PyTorch's Sequential: convolution, group norm, ReLU.
        let layer = |i: usize| -> Result<(Conv2d, GroupNorm)> {
            let conv = conv(channels, channels, 0.0, &params.sub((3 * i).to_string()))?;
            let norm = GroupNorm::new(GroupNormConfig::new(groups, channels), &params.sub((3 * i + 1).to_string()))?;
            Ok((conv, norm))
        };
        Ok(Self { path: params.path().to_owned(), layers: (0..convs).map(layer).collect::<Result<_>>()? })
    }
}

/// A 3 × 3 convolution that keeps the size, with small weights and the bias `bias`.
fn conv(from: usize, to: usize, bias: f64, params: &Params) -> Result<Conv2d> {
    let config = Conv2dConfig::new(from, to, 3).padding(1).init(Init::Normal { std: 0.01 });
    let conv = Conv2d::new(config, params)?;
    if let Some(param) = conv.bias() {
        param.set(&param.tensor().full_like(bias)?)?;
    }
    Ok(conv)
}

impl Module for Tower {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            self.layers.iter().try_fold(x.clone(), |x, (conv, norm)| x.pass(conv, context)?.pass(norm, context)?.relu())
        })
    }
}

impl SampledModel for Fcos {
    type Config = FcosConfig;

    fn build(config: &FcosConfig, params: &Params) -> Result<Self> {
        Self::new(*config, params)
    }

    fn sample(config: &FcosConfig) -> String {
        let FcosConfig { in_channels, size, .. } = config;
        format!("{in_channels}x{size}x{size} features")
    }

    fn forward_sample(
        &self,
        config: &FcosConfig,
        dtype: DType,
        device: &Device,
        context: &Context,
    ) -> Result<Vec<Tensor>> {
        let FcosConfig { in_channels, size, .. } = *config;
        let features = Tensor::zeros([1, in_channels, size, size], dtype, device)?;
        let FcosOutput { logits, distances, centerness, .. } = self.forward(&features, context)?;
        Ok(vec![logits, distances, centerness])
    }
}
