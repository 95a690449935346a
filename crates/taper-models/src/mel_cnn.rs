//! A small convolutional network of spectrograms, after T. N. Sainath and C. Parada, "Convolutional neural networks for
//! small-footprint keyword spotting", Interspeech 2015: log-mel frames are a picture of one channel, `[N, 1, mels, frames]`, and
//! 3 × 3 convolutions with batch norm, ReLU and max pooling see ever more of it. What is left of time is pooled away, by its
//! mean and its maximum, so that a word may be said anywhere; frequency is kept.

use crate::InputSpec;
use taper_config::table;
use taper_nn::{
    BatchNorm2d, BatchNormConfig, Context, Conv2d, Conv2dConfig, Dropout, Linear, LinearConfig, Module, Params, Pass,
    Pool2dSpec, Result, Tensor,
};

table! {
    /// `[model]` of a [`MelCnn`].
    pub struct MelCnnConfig {
        /// Channels of the first convolution; each later one has twice as many.
        channels: usize = 16, integer(1..=1024);
        /// Convolutions, each with a pooling that halves both sides.
        stages: usize = 3, integer(1..=6);
        /// Dropout before the linear layer.
        dropout: f64 = 0.3, number(0.0..=1.0);
    }
}

/// A convolution with batch norm and ReLU.
#[derive(Debug, Clone)]
pub(crate) struct ConvNorm {
    conv: Conv2d,
    bn: BatchNorm2d,
}

impl ConvNorm {
    /// `conv{number}` and `bn{number}`, 3 × 3, of the same height and width.
    pub(crate) fn new([from, to]: [usize; 2], number: usize, params: &Params) -> Result<Self> {
        let conv = Conv2dConfig::new(from, to, 3).padding(1).bias(false);
        Ok(Self {
            conv: Conv2d::new(conv, &params.sub(format!("conv{number}")))?,
            bn: BatchNorm2d::new(BatchNormConfig::new(to), &params.sub(format!("bn{number}")))?,
        })
    }

    pub(crate) fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        x.pass(&self.conv, context)?.pass(&self.bn, context)?.relu()
    }
}

/// `conv1`, `bn1`, ReLU, pooling, …; `fc`.
#[derive(Debug, Clone)]
pub struct MelCnn {
    path: String,
    input: InputSpec,
    stages: Vec<ConvNorm>,
    dropout: Dropout,
    fc: Linear,
}

impl MelCnn {
    /// For spectrograms `input.shape`, `[1, mels, frames]`; the number of frames may be another when it is used.
    ///
    /// # Errors
    /// Spectrograms that are too small for the poolings.
    pub fn new(config: &MelCnnConfig, input: &InputSpec, params: &Params) -> Result<Self> {
        let least = 1 << config.stages;
        input.at_least("mel_cnn", [least, least])?;
        let (mut stages, mut from) = (Vec::new(), input.shape[0]);
        for number in 1..=config.stages {
            let to = config.channels << (number - 1);
            stages.push(ConvNorm::new([from, to], number, params)?);
            from = to;
        }
        let features = 2 * from * (input.shape[1] >> config.stages);
        Ok(Self {
            path: params.path().to_owned(),
            input: *input,
            stages,
            dropout: Dropout::new(config.dropout, &params.sub("dropout"))?,
            fc: Linear::new(LinearConfig::new(features, input.classes), &params.sub("fc"))?,
        })
    }
}

impl Module for MelCnn {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let least = 1 << self.stages.len();
            crate::input::at_least("mel_cnn", x, self.input.shape[0], [least, least])?;
            let x = self.stages.iter().try_fold(x.clone(), |x, stage| {
                stage.forward(&x, context)?.max_pool2d(Pool2dSpec::square(2)) // [N, 16, 20, 50], [N, 32, 10, 25], …
            })?;
            let pooled = [x.mean(&[3], false)?, x.max(&[3], false)?]; // [N, 64, 5] each
            let x = Tensor::concat(&[&pooled[0], &pooled[1]], 1)?.flatten(1)?;
            x.pass(&self.dropout, context)?.pass(&self.fc, context) // [N, classes]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_nn::{DType, Device, RandomKey};

    #[test]
    fn any_length_that_is_long_enough_is_taken() {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let params = Params::new(&device, DType::F32, RandomKey::new(0));
        let input = InputSpec { shape: [1, 40, 96], classes: 10 };
        let model = MelCnn::new(&MelCnnConfig::default(), &input, &params).unwrap();
        // Three convolutions, 1·9·16 + 16·9·32 + 32·9·64, two numbers a channel of the norms, 640·10 + 10 of the linear layer.
        let count: usize = params.trainable().iter().map(|param| param.tensor().count()).sum();
        assert_eq!(count, 144 + 4608 + 18_432 + 2 * (16 + 32 + 64) + 6410);
        for frames in [8, 96, 131] {
            let x = Tensor::zeros([2, 1, 40, frames], DType::F32, &device).unwrap();
            assert_eq!(model.forward(&x, &Context::eval()).unwrap().shape().dims(), [2, 10]);
        }
        let x = Tensor::zeros([2, 1, 40, 7], DType::F32, &device).unwrap();
        let text = model.forward(&x, &Context::eval()).unwrap_err().to_string();
        assert!(text.contains("W of at least 8, came [2, 1, 40, 7]"), "{text}");
        let small = InputSpec { shape: [1, 4, 96], classes: 10 };
        let text = MelCnn::new(&MelCnnConfig::default(), &small, &params).unwrap_err().to_string();
        assert!(text.contains("at least 1x8x8, came 1x4x96"), "{text}");
    }
}
