//! U-Net (Ronneberger, Fischer and Brox, "U-Net: convolutional networks for biomedical image segmentation", MICCAI 2015,
//! figure 1): a contracting path of double convolutions, an expanding one of transposed convolutions, and at each size what
//! the contracting one had there, concatenated.
//!
//! It differs from the paper in two things. Convolutions are padded with zeros, so that the output has the input's size,
//! where the paper's loses a border of 92 pixels; and a normalisation follows each of them, which the paper's have not
//! (`norm = "none"`). With a stride of two or more all but the ends works on smaller maps, for speed: a transposed convolution
//! of as many pixels makes the logits. Sizes that pooling cannot halve are met again by zeros below and on the right. Names are
//! those of the PyTorch implementation that is used most, milesial/Pytorch-UNet.

use crate::SampledModel;
use taper_config::table;
use taper_nn::{
    BatchNorm2d, BatchNormConfig, Context, Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig, DType, Device,
    Error, GroupNorm, GroupNormConfig, MaxPool2d, Module, Params, Pass, Result, Tensor, ZeroPad2d,
};

table! {
    /// The table of a [`UNet`].
    pub struct UNetConfig {
        /// Channels of the pictures.
        channels: usize = 1, at_least(1);
        /// Classes of a pixel.
        classes: usize = 2, at_least(1);
        /// Channels at full size; they double where the sides are halved.
        width: usize = 64, at_least(1);
        /// How often the sides are halved.
        depth: usize = 4, at_least(1);
        /// What follows each 3 × 3 convolution: batch norm, group norm of up to 8 groups, or none, as in the paper.
        norm: String = "batch".into(), one_of(&["batch", "group", "none"]);
        /// Pixels from one position of the first convolution to the next. From 2 on all works on so many times smaller maps, and
        /// the last layer is a transposed convolution that enlarges them again.
        stride: usize = 1, at_least(1);
        /// The height and width of the sample that it is listed with.
        size: usize = 512, at_least(1);
    }
}

/// Maps `[N, channels, H, W]` to logits `[N, classes, H, W]`. With the paper's sizes, batch norm and one channel it has
/// 31,036,546 parameters.
#[derive(Debug, Clone)]
pub struct UNet {
    path: String,
    inc: DoubleConv,
    down: Vec<DoubleConv>,
    up: Vec<Up>,
    outc: Output,
}

/// From features to logits of the input's size.
#[derive(Debug, Clone)]
enum Output {
    /// A convolution 1 × 1, as in the paper.
    Same(Conv2d),
    /// A transposed convolution whose kernel is as large as its stride.
    Larger(ConvTranspose2d),
}

/// Twice: convolution 3 × 3, normalisation, ReLU.
#[derive(Debug, Clone)]
struct DoubleConv {
    path: String,
    layers: [(Conv2d, Norm); 2],
}

#[derive(Debug, Clone)]
enum Norm {
    Batch(BatchNorm2d),
    Group(GroupNorm),
    None,
}

/// Twice as large, half the channels; concatenated with what the contracting path had; a double convolution.
#[derive(Debug, Clone)]
struct Up {
    path: String,
    up: ConvTranspose2d,
    conv: DoubleConv,
}

impl UNet {
    /// Creates the parameters in `params`.
    ///
    /// # Errors
    /// A depth that doubles the channels beyond what can be counted.
    pub fn new(config: &UNetConfig, params: &Params) -> Result<Self> {
        let UNetConfig { channels, classes, width, depth, norm, stride, .. } = config;
        let levels = u32::try_from(*depth).unwrap_or(u32::MAX);
        let widths = (0..=levels).map(|level| 2usize.checked_pow(level)?.checked_mul(*width));
        let widths = widths.collect::<Option<Vec<usize>>>().ok_or_else(|| {
            Error::argument("unet", format!("{width} channels doubled {depth} times are more than can be counted"))
        })?;
        let double = |from, to, params: &Params| DoubleConv::new([from, to], 1, norm, &params.sub("double_conv"));
        let inc = DoubleConv::new([*channels, *width], *stride, norm, &params.sub("inc.double_conv"))?;
        let (mut down, mut up) = (Vec::new(), Vec::new());
        for (i, pair) in widths.windows(2).enumerate() {
            down.push(double(pair[0], pair[1], &params.sub(format!("down{}.maxpool_conv.1", i + 1)))?);
        }
        for (i, pair) in widths.windows(2).rev().enumerate() {
            let params = params.sub(format!("up{}", i + 1));
            let halve = ConvTranspose2dConfig::new(pair[1], pair[0], 2).stride(2);
            up.push(Up {
                path: params.path().to_owned(),
                up: ConvTranspose2d::new(halve, &params.sub("up"))?,
                conv: double(pair[1], pair[0], &params.sub("conv"))?,
            });
        }
        let outc = {
            let params = params.sub("outc.conv");
            match *stride {
                1 => Output::Same(Conv2d::new(Conv2dConfig::new(*width, *classes, 1), &params)?),
                stride => {
                    let enlarge = ConvTranspose2dConfig::new(*width, *classes, stride).stride(stride);
                    Output::Larger(ConvTranspose2d::new(enlarge, &params)?)
                }
            }
        };
        Ok(Self { path: params.path().to_owned(), inc, down, up, outc })
    }
}

impl DoubleConv {
    /// The first convolution has the stride.
    fn new([from, to]: [usize; 2], stride: usize, norm: &str, params: &Params) -> Result<Self> {
        // Places in PyTorch's Sequential: convolution, normalisation, ReLU.
        let layer = |place: usize, from: usize, stride: usize| -> Result<(Conv2d, Norm)> {
            let config = Conv2dConfig::new(from, to, 3).padding(1).stride(stride).bias(norm == "none");
            let (conv, params) =
                (Conv2d::new(config, &params.sub(place.to_string()))?, params.sub((place + 1).to_string()));
            let norm = match norm {
                "batch" => Norm::Batch(BatchNorm2d::new(BatchNormConfig::new(to), &params)?),
                "group" => {
                    let groups = (1..=8).rev().find(|&groups| to.is_multiple_of(groups)).unwrap_or(1);
                    Norm::Group(GroupNorm::new(GroupNormConfig::new(groups, to), &params)?)
                }
                _ => Norm::None,
            };
            Ok((conv, norm))
        };
        Ok(Self { path: params.path().to_owned(), layers: [layer(0, from, stride)?, layer(3, to, 1)?] })
    }
}

impl Module for UNet {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let [.., height, width] = x.dims::<4>()?;
            let mut x = x.pass(&self.inc, context)?; //                                      [N, 64, H, W]
            let mut skips = Vec::new();
            for down in &self.down {
                skips.push(x.clone());
                x = x.pass(&halved(&x), context)?.pass(down, context)?; //                   [N, 1024, H/16, W/16]
            }
            for (up, skip) in self.up.iter().zip(skips.iter().rev()) {
                x = up.forward(&x, skip, context)?; //                                       [N, 64, H, W]
            }
            match &self.outc {
                Output::Same(outc) => x.pass(outc, context), //                              [N, classes, H, W]
                // A side that is no multiple of the stride came out longer.
                Output::Larger(outc) => x.pass(outc, context)?.narrow(2, 0, height)?.narrow(3, 0, width),
            }
        })
    }
}

/// Pooling that halves both sides, rounding down; a side of one pixel stays.
fn halved(x: &Tensor) -> MaxPool2d {
    let side = |axis: usize| x.shape().get(axis).copied().unwrap_or(1).clamp(1, 2);
    MaxPool2d::new([side(2), side(3)])
}

impl Module for DoubleConv {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            self.layers.iter().try_fold(x.clone(), |x, (conv, norm)| {
                let x = x.pass(conv, context)?;
                match norm {
                    Norm::Batch(norm) => x.pass(norm, context)?.relu(),
                    Norm::Group(norm) => x.pass(norm, context)?.relu(),
                    Norm::None => x.relu(),
                }
            })
        })
    }
}

impl Up {
    /// `x: [N, 2C, h, w]` and `skip: [N, C, H, W]` give `[N, C, H, W]`.
    fn forward(&self, x: &Tensor, skip: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let x = x.pass(&self.up, context)?; // [N, C, 2h, 2w]
            let [.., h, w] = x.dims::<4>()?;
            let [.., height, width] = skip.dims::<4>()?;
            // A side of one pixel was not halved.
            let x = x.narrow(2, 0, h.min(height))?.narrow(3, 0, w.min(width))?;
            let (bottom, right) = (height.saturating_sub(h), width.saturating_sub(w));
            let x = x.pass(&ZeroPad2d { bottom, right, ..ZeroPad2d::new(0) }, context)?; // [N, C, H, W]
            Tensor::concat(&[skip, &x], 1)?.pass(&self.conv, context) // [N, 2C, H, W] → [N, C, H, W]
        })
    }
}

impl SampledModel for UNet {
    type Config = UNetConfig;

    fn build(config: &UNetConfig, params: &Params) -> Result<Self> {
        Self::new(config, params)
    }

    fn sample(config: &UNetConfig) -> String {
        let UNetConfig { channels, size, .. } = config;
        format!("{channels}x{size}x{size}")
    }

    fn forward_sample(
        &self,
        config: &UNetConfig,
        dtype: DType,
        device: &Device,
        context: &Context,
    ) -> Result<Vec<Tensor>> {
        let UNetConfig { channels, size, .. } = *config;
        Ok(vec![self.forward(&Tensor::zeros([1, channels, size, size], dtype, device)?, context)?])
    }
}
