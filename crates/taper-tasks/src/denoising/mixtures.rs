//! Clean sounds with noise over them, as frames to be masked.

use super::masking::levelling;
use super::{Masking, Noise};
use crate::speech::{Recordings, window};
use std::sync::Arc;
use taper_audio::{placed, rms};
use taper_data::{Batch, DType, Dataset, FieldSpec};
use taper_nn::RandomKey;
use taper_train::Result;

/// Mixtures as samples with the fields `inputs` (standardised logarithms), `magnitudes` and `targets`, each `[bins, T]` (f32). Those that are
/// held out, which are the same in each pass, have their samples too: `noisy` and `clean`, `[length]` (f32).
pub(crate) struct Mixtures {
    recordings: Arc<Recordings>,
    noises: Arc<Vec<Noise>>,
    masking: Arc<Masking>,
    /// Samples of a mixture.
    length: usize,
    /// The lowest and the highest signal-to-noise ratio, in dB.
    snr: [f64; 2],
    key: RandomKey,
    /// Whether each pass has others.
    changing: bool,
}

/// How mixtures are made.
#[derive(Clone)]
pub(crate) struct Mixing {
    pub(crate) length: usize,
    pub(crate) snr: [f64; 2],
    pub(crate) key: RandomKey,
}

impl Mixing {
    /// The noisy and the clean samples of `recording` with `noise`, at the level of masking.
    pub(crate) fn mixed(&self, recording: &[f32], noise: &Noise, key: RandomKey) -> [Vec<f32>; 2] {
        let sound = match recording.len() > self.length {
            true => window(recording, self.length),
            false => placed(recording, self.length, key.uniform(0)),
        };
        let [low, high] = self.snr;
        let snr = low + (high - low) * key.uniform(1);
        let part = noise.part(key.below(2, noise.samples.len().max(1)), self.length);
        // What is heard counts: a stroke now and then may be silent here.
        let scale = rms(&sound) * 10.0_f64.powf(-snr / 20.0) / rms(&part).max(1e-3);
        let noisy: Vec<f32> =
            sound.iter().zip(&part).map(|(s, n)| (f64::from(*s) + scale * f64::from(*n)) as f32).collect();
        let level = levelling(&noisy);
        [noisy, sound].map(|samples| samples.iter().map(|x| (f64::from(*x) * level) as f32).collect())
    }
}

impl Mixtures {
    /// Others in each pass, `changing`, or each recording once, with one noise after the other.
    pub(crate) fn new(
        recordings: Arc<Recordings>,
        noises: Arc<Vec<Noise>>,
        masking: Arc<Masking>,
        mixing: Mixing,
        changing: bool,
    ) -> Self {
        let Mixing { length, snr, key } = mixing;
        Self { recordings, noises, masking, length, snr, key, changing }
    }

    /// The kind of noise of sample `index` of those that stay the same.
    pub(crate) fn kind(&self, index: usize) -> &str {
        self.noises.get(index % self.noises.len().max(1)).map_or("", |noise| noise.kind.as_str())
    }

    /// The noisy and the clean samples of `index` in pass `epoch`.
    fn sound(&self, epoch: u64, index: usize) -> [Vec<f32>; 2] {
        let key = self.key.index(if self.changing { epoch } else { 0 }).index(index as u64);
        let number = if self.changing { key.below(3, self.noises.len()) } else { index % self.noises.len() };
        let mixing = Mixing { length: self.length, snr: self.snr, key };
        mixing.mixed(&self.recordings.all[index].samples, &self.noises[number], key)
    }
}

impl Dataset for Mixtures {
    fn len(&self) -> usize {
        if self.noises.is_empty() { 0 } else { self.recordings.all.len() }
    }

    fn fields(&self) -> Vec<FieldSpec> {
        let shape = [self.masking.bins(), self.masking.frames(self.length)];
        let mut fields: Vec<FieldSpec> =
            ["inputs", "magnitudes", "targets"].map(|name| FieldSpec::new(name, DType::F32, &shape)).into();
        if !self.changing {
            fields.extend(["noisy", "clean"].map(|name| FieldSpec::new(name, DType::F32, &[self.length])));
        }
        fields
    }

    fn fill(&self, epoch: u64, indices: &[usize], batch: &mut Batch) -> taper_data::Result<()> {
        let of = |index: &usize| -> Result<[Vec<f32>; 5]> {
            let [noisy, clean] = self.sound(epoch, *index);
            let [x, s] = [self.masking.spectrum(&noisy)?, self.masking.spectrum(&clean)?];
            Ok([self.masking.features(&x), Masking::magnitudes(&x), Masking::targets(&x, &s), noisy, clean])
        };
        let all = indices.iter().map(of).collect::<Result<Vec<_>>>();
        let all = all.map_err(|e| taper_data::Error::Argument(e.to_string()))?;
        for (i, field) in self.fields().into_iter().enumerate() {
            let shape = [vec![indices.len()], field.fixed().unwrap_or_default()].concat();
            let size: usize = shape.iter().skip(1).product();
            let values = batch.f32(field.name, &shape);
            for (row, sample) in values.chunks_exact_mut(size.max(1)).zip(&all) {
                row.copy_from_slice(&sample[i]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Noises;
    use super::*;
    use crate::metrics::si_snr;
    use crate::speech::Sources;

    fn mixtures(changing: bool, snr: [f64; 2]) -> Mixtures {
        let mixing = Mixing { length: 8000, snr, key: RandomKey::new(5) };
        let sources = Sources::generated(8000);
        let noises = Noises::generated(8000);
        let first = mixing.mixed(&sources.train.all[0].samples, &noises.train[0], mixing.key);
        let masking = Masking::learned(8000, first.into_iter()).unwrap();
        Mixtures::new(Arc::new(sources.test), Arc::new(noises.test), Arc::new(masking), mixing, changing)
    }

    #[test]
    fn noise_is_as_loud_as_was_asked_for() {
        for snr in [-5.0, 0.0, 12.0] {
            let mixtures = mixtures(false, [snr; 2]);
            for index in [0, 6, 20] {
                let [noisy, clean] = mixtures.sound(0, index);
                let noise: Vec<f32> = noisy.iter().zip(&clean).map(|(a, b)| a - b).collect();
                let found = 20.0 * (rms(&clean) / rms(&noise)).log10();
                assert!((found - snr).abs() < 1e-3, "{found} for {snr}");
                assert!((rms(&noisy) - 0.1).abs() < 1e-5);
                // Noise and sound have little in common.
                assert!((si_snr(&noisy, &clean).unwrap() - snr).abs() < 1.5);
                assert_eq!(mixtures.sound(0, index), mixtures.sound(3, index));
            }
        }
        let mixtures = mixtures(true, [-5.0, 5.0]);
        assert_ne!(mixtures.sound(0, 1), mixtures.sound(1, 1));
        assert_eq!(mixtures.sound(1, 1), mixtures.sound(1, 1));
    }

    #[test]
    fn held_out_samples_carry_their_sounds() {
        let mixtures = mixtures(false, [0.0; 2]);
        let mut batch = Batch::default();
        batch.clear(2);
        mixtures.fill(0, &[1, 4], &mut batch).unwrap();
        assert_eq!(batch.field("targets").unwrap().shape, [2, 129, 126]);
        assert_eq!(batch.field("noisy").unwrap().shape, [2, 8000]);
        assert_eq!((mixtures.kind(0), mixtures.kind(6), mixtures.kind(14)), ("white", "clatter", "white"));
    }
}
