//! A mask for a spectrogram, found by convolutions over time whose dilation doubles from block to block: after Y. Luo and N.
//! Mesgarani, "Conv-TasNet: surpassing ideal time-frequency magnitude masking for speech separation", IEEE/ACM Transactions on
//! Audio, Speech, and Language Processing 27, 2019, section II.C, on the frames of a Fourier transform instead of a learned one, with
//! batch norm, so that a frame depends on so many neighbours and no others: a long recording may be masked part by part.

use taper_config::table;
use taper_nn::{
    BatchNorm1d, BatchNormConfig, Context, Conv1d, Conv1dConfig, Error, Module, Params, Pass, Result, Tensor,
};

table! {
    /// `[model]` of a [`MaskTcn`].
    pub struct MaskTcnConfig {
        /// Channels between the blocks.
        channels: usize = 96, integer(1..=1024);
        /// Residual blocks.
        blocks: usize = 8, integer(1..=64);
        /// Blocks after which dilations begin again at 1; each of them doubles the dilation.
        cycle: usize = 4, integer(1..=12);
    }
}

/// `conv_in`, blocks of a dilated convolution of three frames with batch norm and ReLU and one of a single frame, whose output is added
/// to their input, and `conv_out`: frames `[N, bins, T]` to the logits of a mask, `[N, bins, T]`.
#[derive(Debug, Clone)]
pub struct MaskTcn {
    path: String,
    bins: usize,
    reach: usize,
    conv_in: Conv1d,
    blocks: Vec<Block>,
    conv_out: Conv1d,
}

#[derive(Debug, Clone)]
struct Block {
    path: String,
    conv1: Conv1d,
    bn: BatchNorm1d,
    conv2: Conv1d,
}

impl MaskTcn {
    /// For frames of `bins` frequencies.
    ///
    /// # Errors
    /// No frequency.
    pub fn new(config: &MaskTcnConfig, bins: usize, params: &Params) -> Result<Self> {
        let MaskTcnConfig { channels, blocks, cycle } = *config;
        let dilation = |block: usize| 1 << (block % cycle.max(1));
        let block = |number: usize| -> Result<Block> {
            let (params, dilation) = (params.sub(format!("blocks.{number}")), dilation(number));
            let wide = Conv1dConfig::new(channels, channels, 3).dilation(dilation).padding(dilation).bias(false);
            Ok(Block {
                path: params.path().to_owned(),
                conv1: Conv1d::new(wide, &params.sub("conv1"))?,
                bn: BatchNorm1d::new(BatchNormConfig::new(channels), &params.sub("bn"))?,
                conv2: Conv1d::new(Conv1dConfig::new(channels, channels, 1), &params.sub("conv2"))?,
            })
        };
        Ok(Self {
            path: params.path().to_owned(),
            bins,
            reach: 1 + (0..blocks).map(dilation).sum::<usize>(),
            conv_in: Conv1d::new(Conv1dConfig::new(bins, channels, 3).padding(1), &params.sub("conv_in"))?,
            blocks: (0..blocks).map(block).collect::<Result<_>>()?,
            conv_out: Conv1d::new(Conv1dConfig::new(channels, bins, 1), &params.sub("conv_out"))?,
        })
    }

    /// How many frames before and after it a frame's mask depends on.
    pub fn reach(&self) -> usize {
        self.reach
    }
}

impl Module for MaskTcn {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            match x.shape().dims() {
                &[_, bins, frames] if bins == self.bins && frames > 0 => {}
                _ => {
                    let detail =
                        format!("expected frames [N, {}, T] with T of at least 1, came {}", self.bins, x.shape());
                    return Err(Error::shape("mask_tcn", detail));
                }
            }
            let x = x.pass(&self.conv_in, context)?; // [N, channels, T]
            let x = self.blocks.iter().try_fold(x, |x, block| x.pass(block, context))?;
            x.relu()?.pass(&self.conv_out, context) // [N, bins, T]
        })
    }
}

impl Module for Block {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let inner = x.pass(&self.conv1, context)?.pass(&self.bn, context)?.relu()?;
            x.add(&inner.pass(&self.conv2, context)?)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_nn::{DType, Device, RandomKey, no_grad};

    #[test]
    fn a_frame_depends_on_as_many_neighbours_as_is_said() {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let params = Params::new(&device, DType::F64, RandomKey::new(0));
        let config = MaskTcnConfig { channels: 16, blocks: 3, cycle: 2 };
        let model = MaskTcn::new(&config, 5, &params).unwrap();
        assert_eq!(model.reach(), 1 + 1 + 2 + 1);
        // In, three blocks of a convolution, a norm's two numbers and a convolution with bias, out.
        let count: usize = params.trainable().iter().map(|param| param.tensor().count()).sum();
        assert_eq!(count, (5 * 16 * 3 + 16) + 3 * (16 * 16 * 3 + 32 + 16 * 16 + 16) + (16 * 5 + 5));

        let of = |changed: Option<usize>| {
            let mut values: Vec<f64> = (0..5 * 30).map(|i| RandomKey::new(1).normal(i)).collect();
            if let Some(frame) = changed {
                values[2 * 30 + frame] += 3.0;
            }
            let x = Tensor::from_vec(values, [1, 5, 30], &device).unwrap();
            no_grad(|| model.forward(&x, &Context::eval())).unwrap().to_vec::<f64>().unwrap()
        };
        let [before, after] = [of(None), of(Some(15))];
        let moved: Vec<usize> =
            (0..30).filter(|t| (0..5).any(|bin| before[bin * 30 + t] != after[bin * 30 + t])).collect();
        assert_eq!(moved, (10..=20).collect::<Vec<_>>());

        let x = Tensor::zeros([1, 4, 30], DType::F64, &device).unwrap();
        let text = model.forward(&x, &Context::eval()).unwrap_err().to_string();
        assert!(text.contains("mask_tcn: expected frames [N, 5, T] with T of at least 1, came [1, 4, 30]"), "{text}");
    }
}
