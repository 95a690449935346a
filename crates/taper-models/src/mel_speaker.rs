//! A speaker of single words: frames of a mel spectrogram from a word, a voice, and where in the word a frame is. As in statistical
//! parametric synthesis with networks (H. Zen, A. Senior and M. Schuster, "Statistical parametric speech synthesis using deep neural
//! networks", ICASSP 2013, section 3), with convolutions over time above, and how long a word is from the same vectors.

use taper_config::table;
use taper_nn::{
    Context, Conv1d, Conv1dConfig, Embedding, EmbeddingConfig, Error, Init, Linear, LinearConfig, Params, Pass, Result,
    Tensor,
};

table! {
    /// `[model]` of a [`MelSpeaker`].
    pub struct MelSpeakerConfig {
        /// The length of a word's vector and of a voice's.
        embedding: usize = 32, integer(1..=1024);
        /// Channels of the convolutions.
        channels: usize = 192, integer(1..=4096);
        /// Convolutions of five frames.
        layers: usize = 3, integer(1..=16);
    }
}

/// `words`, `voices`, `conv_in`, `convs.0`, …, `conv_out` and `length`: mel frames `[N, mels, T]`, and the logarithm of the number of frames.
#[derive(Debug, Clone)]
pub struct MelSpeaker {
    path: String,
    places: usize,
    words: Embedding,
    voices: Embedding,
    conv_in: Conv1d,
    convs: Vec<Conv1d>,
    conv_out: Conv1d,
    length: Linear,
}

impl MelSpeaker {
    /// For so many words, voices, numbers that tell a frame's place, and filters: `[words, voices, places, mels]`.
    ///
    /// # Errors
    /// A size of 0.
    pub fn new(config: &MelSpeakerConfig, sizes: [usize; 4], params: &Params) -> Result<Self> {
        let [words, voices, places, mels] = sizes;
        let MelSpeakerConfig { embedding, channels, layers } = *config;
        let table = |rows, name: &str| {
            let config = EmbeddingConfig::new(rows, embedding).init(Init::Normal { std: 0.3 });
            Embedding::new(config, &params.sub(name))
        };
        let conv = |from, to, size: usize, name: String| {
            Conv1d::new(Conv1dConfig::new(from, to, size).padding(size / 2), &params.sub(name))
        };
        Ok(Self {
            path: params.path().to_owned(),
            places,
            words: table(words, "words")?,
            voices: table(voices, "voices")?,
            conv_in: conv(2 * embedding + places, channels, 1, "conv_in".into())?,
            convs: (0..layers).map(|i| conv(channels, channels, 5, format!("convs.{i}"))).collect::<Result<_>>()?,
            conv_out: conv(channels, mels, 1, "conv_out".into())?,
            length: Linear::new(LinearConfig::new(2 * embedding, 1), &params.sub("length"))?,
        })
    }

    /// Of `words` and `voices` `[N]` (i64) and the places of frames `[N, places, T]` the frames `[N, mels, T]`, and the logarithm of how
    /// many frames each word has, `[N]`.
    ///
    /// # Errors
    /// Places of another number, words or voices that are not known.
    pub fn speak(
        &self,
        words: &Tensor,
        voices: &Tensor,
        places: &Tensor,
        context: &Context,
    ) -> Result<(Tensor, Tensor)> {
        context.layer(&self.path, |context| {
            let [n, frames] = match places.shape().dims() {
                &[n, of, frames] if of == self.places && frames > 0 => [n, frames],
                _ => {
                    let detail = format!("expected places [N, {}, T], came {}", self.places, places.shape());
                    return Err(Error::shape("mel_speaker", detail));
                }
            };
            let word = words.pass(&self.words, context)?; // [N, embedding]
            let both = Tensor::concat(&[&word, &voices.pass(&self.voices, context)?], 1)?;
            let width = both.dim(1)?;
            let spread = both.unsqueeze(2)?.broadcast_to([n, width, frames])?;
            let x = Tensor::concat(&[&spread, places], 1)?.pass(&self.conv_in, context)?.relu()?;
            let x = self.convs.iter().try_fold(x, |x, conv| x.add(&x.pass(conv, context)?.relu()?))?;
            let length = both.pass(&self.length, context)?.squeeze(1)?;
            Ok((x.pass(&self.conv_out, context)?, length))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_nn::{DType, Device, RandomKey};

    #[test]
    fn frames_and_length_have_their_shapes() {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap());
        let params = Params::new(&device, DType::F32, RandomKey::new(0));
        let config = MelSpeakerConfig { embedding: 4, channels: 6, layers: 2 };
        let model = MelSpeaker::new(&config, [10, 3, 8, 20], &params).unwrap();
        let of = |values: Vec<i64>| Tensor::from_vec(values, [2], &device).unwrap();
        let places = Tensor::zeros([2, 8, 31], DType::F32, &device).unwrap();
        let (frames, length) = model.speak(&of(vec![0, 9]), &of(vec![2, 0]), &places, &Context::eval()).unwrap();
        assert_eq!((frames.shape().dims(), length.shape().dims()), (&[2, 20, 31][..], &[2][..]));
        let few = Tensor::zeros([2, 7, 31], DType::F32, &device).unwrap();
        let text = model.speak(&of(vec![0, 9]), &of(vec![2, 0]), &few, &Context::eval()).unwrap_err().to_string();
        assert!(text.contains("mel_speaker: expected places [N, 8, T], came [2, 7, 31]"), "{text}");
    }
}
