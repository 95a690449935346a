//! A recogniser of strings of words: convolutions over log-mel frames, a bidirectional GRU over time, and of each step the logits
//! of the words and of a blank, for [`Ctc`](taper_nn::Ctc). After D. Amodei et al., "Deep Speech 2", ICML 2016, section 3, at a small
//! size.

use crate::InputSpec;
use crate::mel_cnn::ConvNorm;
use taper_config::table;
use taper_nn::{
    Context, Dropout, Gru, Linear, LinearConfig, Params, Pass, Pool2dSpec, RecurrentConfig, RecurrentInput, Result,
    Tensor,
};

table! {
    /// `[model]` of a [`MelCrnn`].
    pub struct MelCrnnConfig {
        /// Channels of the first of three convolutions; each later one has twice as many.
        channels: usize = 16, integer(1..=1024);
        /// Units of the recurrent layer in each direction.
        hidden: usize = 96, integer(1..=4096);
        /// Dropout before and behind the recurrent layer.
        dropout: f64 = 0.3, number(0.0..=1.0);
    }
}

/// How many times fewer steps there are than frames, by three poolings: of some hundred steps CTC finds sooner where words are than
/// of twice as many.
const FEWER: usize = 8;

/// `conv1` to `conv3` with `bn1` to `bn3`, `rnn`, `fc`: frames `[N, 1, mels, T]` to logits `[T/8, N, classes]`, of which class 0 is
/// the blank.
#[derive(Debug, Clone)]
pub struct MelCrnn {
    path: String,
    input: InputSpec,
    stages: Vec<ConvNorm>,
    dropout: Dropout,
    rnn: Gru,
    after: Dropout,
    fc: Linear,
}

impl MelCrnn {
    /// For frames of `input.shape[1]` filters; `input.classes` counts the blank.
    ///
    /// # Errors
    /// Fewer than 8 filters, fewer than 8 frames.
    pub fn new(config: &MelCrnnConfig, input: &InputSpec, params: &Params) -> Result<Self> {
        input.at_least("mel_crnn", [8, FEWER])?;
        let (mut stages, mut from) = (Vec::new(), input.shape[0]);
        for number in 1..=3 {
            let to = config.channels << (number - 1);
            stages.push(ConvNorm::new([from, to], number, params)?);
            from = to;
        }
        let recurrent = RecurrentConfig::new(from * (input.shape[1] / 8), config.hidden).bidirectional(true);
        Ok(Self {
            path: params.path().to_owned(),
            input: *input,
            stages,
            dropout: Dropout::new(config.dropout, &params.sub("dropout"))?,
            rnn: Gru::new(recurrent, &params.sub("rnn"))?,
            after: Dropout::new(config.dropout, &params.sub("after"))?,
            fc: Linear::new(LinearConfig::new(2 * config.hidden, input.classes), &params.sub("fc"))?,
        })
    }

    /// The steps of so many frames.
    pub fn steps(frames: usize) -> usize {
        frames / FEWER
    }

    /// The logits of frames `x: [N, 1, mels, T]`, `[T/8, N, classes]`. With `lengths`, sample i has as many frames, and steps behind
    /// its own tell nothing.
    ///
    /// # Errors
    /// Frames of another number of filters, fewer than eight of them; lengths that do not fit.
    pub fn forward_with(&self, x: &Tensor, lengths: Option<&[usize]>, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            crate::input::at_least("mel_crnn", x, self.input.shape[0], [self.input.shape[1], FEWER])?;
            let x = self.stages.iter().try_fold(x.clone(), |x, stage| {
                stage.forward(&x, context)?.max_pool2d(Pool2dSpec::square(2)) // [N, 16, 20, T/2], [N, 32, 10, T/4], [N, 64, 5, T/8]
            })?;
            let x = x.permute(&[3, 0, 1, 2])?.flatten(2)?.pass(&self.dropout, context)?; // [T/8, N, 320]
            let lengths: Option<Vec<usize>> =
                lengths.map(|lengths| lengths.iter().map(|frames| Self::steps(*frames)).collect());
            let input = RecurrentInput { state: None, lengths: lengths.as_deref() };
            let (x, _) = self.rnn.forward_with(&x, input, context)?; // [T/8, N, 2 · hidden]
            x.pass(&self.after, context)?.pass(&self.fc, context)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_nn::{DType, Device, RandomKey, no_grad};

    #[test]
    fn more_padding_changes_nothing() {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let params = Params::new(&device, DType::F64, RandomKey::new(0));
        let input = InputSpec { shape: [1, 16, 40], classes: 5 };
        let config = MelCrnnConfig { channels: 2, hidden: 3, dropout: 0.0 };
        let model = MelCrnn::new(&config, &input, &params).unwrap();
        let values: Vec<f64> = (0..16 * 40).map(|i| RandomKey::new(1).normal(i)).collect();
        let x = Tensor::from_vec(values, [1, 1, 16, 40], &device).unwrap();
        let eval = Context::eval();
        let behind = |frames: usize| {
            let zeros = Tensor::zeros([1, 1, 16, frames], DType::F64, &device).unwrap();
            let longer = Tensor::concat(&[&x, &zeros], 3).unwrap();
            let y = no_grad(|| model.forward_with(&longer, Some(&[40]), &eval)).unwrap();
            assert_eq!(y.shape().dims(), [5 + frames / 8, 1, 5]);
            y.to_vec::<f64>().unwrap()[..5 * 5].to_vec()
        };
        let [few, many] = [16, 48].map(behind);
        assert!(few.iter().zip(&many).all(|(a, b)| (a - b).abs() < 1e-12), "{few:?} {many:?}");
        let alone = no_grad(|| model.forward_with(&x, None, &eval)).unwrap();
        assert_eq!(alone.shape().dims(), [5, 1, 5]);
        let text = model.forward_with(&x.narrow(3, 0, 7).unwrap(), None, &eval).unwrap_err().to_string();
        assert!(text.contains("W of at least 8, came [1, 1, 16, 7]"), "{text}");
    }
}
