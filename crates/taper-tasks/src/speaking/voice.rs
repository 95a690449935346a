//! The sound of a word by a voice, of a model with its weights.

use crate::speech::LogMel;
use taper_models::MelSpeaker;
use taper_nn::{Context, DType, Device, Tensor, no_grad};
use taper_train::Result;

/// Numbers that tell where in a word a frame is.
pub(crate) const PLACES: usize = 12;
/// Frames of silence behind the longest word of a batch, whose places are all 0.
pub(super) const BEHIND: usize = 12;
/// A word is at most so many frames long, whatever the network says: ten seconds.
const LONGEST: f64 = 1000.0;

/// Where frame `t` of `frames` is: cosines of half a wave, a whole one and so on over the word.
pub(super) fn place(number: usize, t: usize, frames: usize) -> f32 {
    let part = (t as f64 + 0.5) / frames.max(1) as f64;
    ((number + 1) as f64 * std::f64::consts::PI * part).cos() as f32
}

/// A model that speaks.
pub(crate) struct Voice<'a> {
    pub(crate) model: &'a MelSpeaker,
    pub(crate) features: &'a LogMel,
    pub(crate) device: &'a Device,
    pub(crate) dtype: DType,
}

impl Voice<'_> {
    /// The standardised frames `[mels, T]` of a word by a voice, as many as the network says.
    pub(crate) fn frames(&self, word: usize, voice: usize) -> Result<Vec<f32>> {
        let one = |value: usize| Tensor::from_vec(vec![value as i64], [1], self.device);
        let (word, voice) = (one(word)?, one(voice)?);
        let speak = |frames: usize| -> Result<(Tensor, Tensor)> {
            let all = frames + BEHIND;
            let at = |i: usize| if i % all < frames { place(i / all, i % all, frames) } else { 0.0 };
            let places = Tensor::from_vec((0..PLACES * all).map(at).collect(), [1, PLACES, all], self.device)?;
            let places = places.cast(self.dtype)?;
            Ok(no_grad(|| self.model.speak(&word, &voice, &places, &Context::eval()))?)
        };
        let length = speak(1)?.1.to_host()?.to_f64().first().copied().unwrap_or_default();
        let frames = length.exp().clamp(2.0, LONGEST).round() as usize;
        let mel = speak(frames)?.0.narrow(2, 0, frames)?.to_host()?.to_f64();
        Ok(mel.into_iter().map(|x| x as f32).collect())
    }

    /// The samples of a word by a voice.
    pub(crate) fn sound(&self, word: usize, voice: usize) -> Result<Vec<f32>> {
        self.features.sound(&self.frames(word, voice)?)
    }
}
