//! What is changed of sounds in training, so that the network learns what does not matter.

use std::sync::Arc;
use taper_audio::{at_speed, pink_noise, placed, rms};
use taper_nn::RandomKey;

/// How training recordings are changed, each time anew.
#[derive(Clone)]
pub(crate) struct Change {
    /// The largest change of the speed, either way.
    pub(crate) speed: f64,
    /// The part that gets noise, of a power from as much as the recording's to 30 dB below.
    pub(crate) noise: f64,
    /// Bands of filters, and of frames, that are blanked: D. S. Park et al., "SpecAugment", Interspeech 2019, section 2.
    pub(crate) masks: usize,
    /// Noise to take a part of.
    pub(crate) noises: Arc<Vec<f32>>,
    /// Keys what is random.
    pub(crate) key: RandomKey,
}

/// The widest blanked band, as parts of all filters and of all frames.
const WIDEST: [f64; 2] = [0.15, 0.12];
/// Samples of noise that sounds get parts of: half a minute at 8 kHz.
const NOISES: usize = 1 << 18;
/// The level below which nothing is heard that noise could be as loud as.
const SILENT: f64 = 1e-9;

impl Change {
    /// A change of the speed up to `speed`, pink noise for the part `noise`, so many `masks`; `key` keys what is random.
    pub(crate) fn new(speed: f64, noise: f64, masks: usize, key: RandomKey) -> Self {
        Self { speed, noise, masks, noises: Arc::new(pink_noise(NOISES, key.child("noise"))), key }
    }

    /// The sound at another speed.
    pub(crate) fn faster(&self, samples: &[f32], key: RandomKey) -> Vec<f32> {
        at_speed(samples, 1.0 + self.speed * (2.0 * key.uniform(0) - 1.0))
    }

    /// The sound at another speed, at another place of a window of `length`, with noise.
    pub(crate) fn in_window(&self, samples: &[f32], length: usize, key: RandomKey) -> Vec<f32> {
        let faster = self.faster(samples, key);
        let mut sound = placed(&faster, length, key.uniform(1));
        self.add_noise(&mut sound, rms(&faster), key);
        sound
    }

    /// Adds noise to a part of all sounds, of a power from as much as that of `level` to 30 dB below.
    pub(crate) fn add_noise(&self, samples: &mut [f32], level: f64, key: RandomKey) {
        if key.uniform(2) >= self.noise || self.noises.is_empty() || level < SILENT {
            return;
        }
        let loud = (level * 10.0_f64.powf(-1.5 * key.uniform(3))) as f32;
        let noise = self.noises.iter().cycle().skip(key.below(4, self.noises.len()));
        samples.iter_mut().zip(noise).for_each(|(x, noise)| *x += loud * noise);
    }

    /// Blanks bands of `frames: [mels, columns]` by their mean, 0.
    pub(crate) fn mask(&self, frames: &mut [f32], [mels, columns]: [usize; 2], key: RandomKey) {
        self.mask_filters(frames, [mels, columns], key);
        for mask in 0..self.masks as u64 {
            let across = band(columns, WIDEST[1], key.child("frames"), mask);
            for row in frames.chunks_exact_mut(columns.max(1)) {
                row[across.clone()].fill(0.0);
            }
        }
    }

    /// Blanks bands of filters alone: of a string of words, a band of frames would take one away.
    pub(crate) fn mask_filters(&self, frames: &mut [f32], [mels, columns]: [usize; 2], key: RandomKey) {
        for mask in 0..self.masks as u64 {
            let rows = band(mels, WIDEST[0], key, mask);
            let blanked = frames.chunks_exact_mut(columns.max(1)).skip(rows.start).take(rows.len());
            blanked.for_each(|row| row.fill(0.0));
        }
    }
}

/// A band of at most the part `widest` of `size`, the `number`th.
fn band(size: usize, widest: f64, key: RandomKey, number: u64) -> std::ops::Range<usize> {
    let width = key.below(2 * number, (size as f64 * widest) as usize + 1);
    let from = key.below(2 * number + 1, size.saturating_sub(width).max(1));
    from..(from + width).min(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_blanks_rows_and_columns() {
        let change = Change { speed: 0.0, noise: 0.0, masks: 1, noises: Arc::default(), key: RandomKey::new(5) };
        // Of some keys both bands are wider than nothing.
        let found = (0..20).any(|i| {
            let mut frames = vec![1.0; 40 * 100];
            change.mask(&mut frames, [40, 100], RandomKey::new(i));
            let blank = |row: &[f32]| row.iter().all(|x| *x == 0.0);
            let rows = frames.chunks_exact(100).filter(|row| blank(row)).count();
            let columns = (0..100).filter(|column| (0..40).all(|row| frames[row * 100 + column] == 0.0)).count();
            assert!(rows <= 6 && columns <= 12, "{rows} {columns}");
            rows > 0 && columns > 0
        });
        assert!(found);
    }
}
