//! A single-shot detector: a small residual backbone (He et al., "Deep residual learning for image recognition", CVPR 2016), whose
//! last two maps are added as in a feature pyramid (Lin et al., "Feature pyramid networks for object detection", CVPR 2017,
//! section 3), under the head of FCOS ([`Fcos`]).

use crate::resnet::{Block, Stage, conv, norm};
use crate::{Fcos, FcosConfig, FcosOutput, SampledModel};
use taper_config::table;
use taper_nn::taper_tensor::Interpolation;
use taper_nn::{BatchNorm2d, Context, Conv2d, DType, Device, Error, Params, Pass, Result, Tensor};

/// Pixels of the picture from one position of the head to the next.
const STRIDE: usize = 8;

table! {
    /// The table of a [`Detector`].
    #[derive(Copy)]
    pub struct DetectorConfig {
        /// Channels of the pictures.
        channels: usize = 3, at_least(1);
        /// The number of classes.
        classes: usize = 12, at_least(1);
        /// Channels of the first layers; the head has four times as many.
        width: usize = 16, at_least(1);
        /// Residual blocks of each of the four stages.
        blocks: usize = 1, at_least(1);
        /// 3 × 3 convolutions of either tower of the head.
        convs: usize = 2, at_least(0);
        /// The height and width of the sample that it is listed with.
        size: usize = 96, at_least(16);
    }
}

/// `conv1`, `bn1` and ReLU; four stages `layer1` to `layer4` of residual blocks with w, 2w, 4w and 4w channels, at a half, a
/// quarter, an eighth and a sixteenth of the picture's size; the last, twice as large, added to the one before; `head`, on that.
#[derive(Debug, Clone)]
pub struct Detector {
    path: String,
    conv1: Conv2d,
    bn1: BatchNorm2d,
    stages: Vec<Stage>,
    smooth: Conv2d,
    bn2: BatchNorm2d,
    head: Fcos,
}

impl Detector {
    /// Creates the parameters in `params`.
    ///
    /// # Errors
    /// A number that is 0.
    pub fn new(config: &DetectorConfig, params: &Params) -> Result<Self> {
        let DetectorConfig { channels, classes, width, blocks, convs, .. } = *config;
        let wide =
            width.checked_mul(4).ok_or_else(|| Error::argument("detector", "width is more than can be counted"))?;
        let conv1 = conv([channels, width], 3, 2, &params.sub("conv1"))?;
        let bn1 = norm(width, &params.sub("bn1"))?;
        let (mut stages, mut from) = (Vec::new(), width);
        for (stage, to) in [width, 2 * width, wide, wide].into_iter().enumerate() {
            let (params, mut all) = (params.sub(format!("layer{}", stage + 1)), Vec::new());
            for block in 0..blocks {
                let stride = if block == 0 && stage > 0 { 2 } else { 1 };
                let params = params.sub(block.to_string());
                all.push(Block::basic([from, to], stride, Block::projection, &params)?);
                from = to;
            }
            stages.push(Stage::new(all, &params));
        }
        let smooth = conv([wide, wide], 3, 1, &params.sub("smooth"))?;
        let bn2 = norm(wide, &params.sub("bn2"))?;
        let groups = (1..=8).rev().find(|&groups| wide.is_multiple_of(groups)).unwrap_or(1);
        let head = FcosConfig::new(wide, classes, STRIDE).convs(convs).groups(groups);
        let head = Fcos::new(head, &params.sub("head"))?;
        Ok(Self { path: params.path().to_owned(), conv1, bn1, stages, smooth, bn2, head })
    }

    /// The head.
    pub fn head(&self) -> &Fcos {
        &self.head
    }

    /// The grid of positions of a picture of height and width `size`.
    pub fn grid(size: [usize; 2]) -> [usize; 2] {
        // Three times a half, rounded up.
        size.map(|side| side.div_ceil(2).div_ceil(2).div_ceil(2))
    }

    /// What is at the positions of pictures `[N, C, H, W]`.
    ///
    /// # Errors
    /// Pictures of other channels.
    pub fn forward(&self, x: &Tensor, context: &Context) -> Result<FcosOutput> {
        let features = context.layer(&self.path, |context| {
            let mut x = x.pass(&self.conv1, context)?.pass(&self.bn1, context)?.relu()?; // [N, w, H/2, W/2]
            let mut before = x.clone();
            for stage in &self.stages {
                before = x.clone();
                x = x.pass(stage, context)?;
            }
            // before: [N, 4w, H/8, W/8], x: [N, 4w, H/16, W/16].
            let large = x.interpolate(&before.shape()[2..], Interpolation::NearestExact)?;
            before.add(&large)?.pass(&self.smooth, context)?.pass(&self.bn2, context)?.relu()
        })?;
        self.head.forward(&features, context)
    }
}

impl SampledModel for Detector {
    type Config = DetectorConfig;

    fn build(config: &DetectorConfig, params: &Params) -> Result<Self> {
        Self::new(config, params)
    }

    fn sample(config: &DetectorConfig) -> String {
        let DetectorConfig { channels, size, .. } = config;
        format!("{channels}x{size}x{size}")
    }

    fn forward_sample(
        &self,
        config: &DetectorConfig,
        dtype: DType,
        device: &Device,
        context: &Context,
    ) -> Result<Vec<Tensor>> {
        let DetectorConfig { channels, size, .. } = *config;
        let FcosOutput { logits, distances, centerness, .. } =
            self.forward(&Tensor::zeros([1, channels, size, size], dtype, device)?, context)?;
        Ok(vec![logits, distances, centerness])
    }
}
