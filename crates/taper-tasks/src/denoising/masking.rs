//! Frames of a sound, what a network sees of them, and the sound of masked frames.
//!
//! A mask M[k, t] from 0 to 1 weighs the amplitudes X[t, k] of the noisy sound, whose phases stay: the sound of M · X is what is left.
//! What M · |X| should be is |S| cos θ, with θ the angle between X and the clean S: the mask that is the best for the signal-to-noise
//! ratio is (H. Erdogan, J. R. Hershey, S. Watanabe and J. Le Roux, "Phase-sensitive and recognition-boosted speech separation using
//! deep recurrent neural networks", ICASSP 2015, section 3.1).

use crate::speech::of_audio;
use serde::{Deserialize, Serialize};
use taper_audio::{Padding, Spectrum, Stft, StftConfig, rms};
use taper_train::{Error, Result};

/// The level to which noisy sounds are brought: the root of the mean square of their samples.
const LEVEL: f64 = 0.1;
/// Below it there is only silence.
const SILENT: f64 = 1e-9;
/// What magnitudes are raised to before their logarithm is taken: 60 dB below white noise of the level.
const FLOOR: f64 = 1e-3;

/// How sounds become frames: part of a run's `spec.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MaskingSpec {
    /// Samples a second; files of another rate are converted.
    pub rate: u32,
    /// Samples of a frame.
    pub window: usize,
    /// From one frame to the next.
    pub hop: usize,
    /// By frequency, the mean of the logarithms of the training mixtures' magnitudes.
    pub mean: Vec<f32>,
    /// By frequency, their standard deviation.
    pub std: Vec<f32>,
}

/// A planned [`MaskingSpec`].
pub struct Masking {
    spec: MaskingSpec,
    stft: Stft,
}

impl Masking {
    /// Plans the transform.
    ///
    /// # Errors
    /// Sizes or statistics that cannot be.
    pub fn new(spec: MaskingSpec) -> Result<Self> {
        let MaskingSpec { window, hop, .. } = spec;
        let stft = Stft::new(StftConfig { size: window, window, hop, padding: Padding::Zeros }).map_err(of_audio)?;
        let due = stft.bins();
        if [&spec.mean, &spec.std].iter().any(|of| of.len() != due) || hop > window / 2 {
            let (means, stds) = (spec.mean.len(), spec.std.len());
            let detail = format!(
                "expected {due} means and deviations and a hop of half a window at most, found {means} and {stds}, and {hop}"
            );
            return Err(Error::Usage(format!("frames to mask: {detail}")));
        }
        Ok(Self { spec, stft })
    }

    /// Frames of 32 ms, every 8 ms, with the mean and deviation of each frequency's logarithm over the sounds `all`.
    ///
    /// # Errors
    /// A rate that is too low for such frames.
    pub(crate) fn learned(rate: u32, all: impl Iterator<Item = Vec<f32>>) -> Result<Self> {
        let window = (rate as usize * 32 / 1000).next_power_of_two();
        let bins = window / 2 + 1;
        let spec = MaskingSpec { rate, window, hop: (window / 4).max(1), mean: vec![0.0; bins], std: vec![1.0; bins] };
        let mut plan = Self::new(spec)?;
        let (mut sums, mut squares, mut count) = (vec![0.0; bins], vec![0.0; bins], 0);
        for samples in all {
            let values = plan.features(&plan.spectrum(&samples)?);
            let frames = values.len() / bins;
            for (row, (sum, square)) in values.chunks_exact(frames.max(1)).zip(sums.iter_mut().zip(&mut squares)) {
                *sum += row.iter().map(|x| f64::from(*x)).sum::<f64>();
                *square += row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
            }
            count += frames;
        }
        let n = f64::from(count.max(1) as u32);
        let mean: Vec<f64> = sums.iter().map(|sum| sum / n).collect();
        let std = squares.iter().zip(&mean).map(|(square, mean)| (square / n - mean * mean).max(1e-6).sqrt() as f32);
        (plan.spec.std, plan.spec.mean) = (std.collect(), mean.iter().map(|mean| *mean as f32).collect());
        Ok(plan)
    }

    /// How sounds become frames.
    pub fn spec(&self) -> &MaskingSpec {
        &self.spec
    }

    /// The number of frequencies of a frame.
    pub fn bins(&self) -> usize {
        self.stft.bins()
    }

    /// The frames of so many samples.
    pub fn frames(&self, samples: usize) -> usize {
        self.stft.frames(samples)
    }

    /// The amplitudes of `samples`.
    ///
    /// # Errors
    /// No sample.
    pub fn spectrum(&self, samples: &[f32]) -> Result<Spectrum> {
        self.stft.forward(samples).map_err(of_audio)
    }

    /// The standardised logarithms of the magnitudes, `[bins, frames]`.
    pub fn features(&self, spectrum: &Spectrum) -> Vec<f32> {
        let stats: Vec<(f32, f32)> = self.spec.mean.iter().copied().zip(self.spec.std.iter().copied()).collect();
        by_bin(
            spectrum,
            |at| spectrum.values[at].norm().max(FLOOR).ln(),
            |bin, x| (x as f32 - stats[bin].0) / stats[bin].1,
        )
    }

    /// The magnitudes, `[bins, frames]`.
    pub(crate) fn magnitudes(spectrum: &Spectrum) -> Vec<f32> {
        by_bin(spectrum, |at| spectrum.values[at].norm(), |_, x| x as f32)
    }

    /// What the masked magnitudes of `noisy` should be, |S| cos θ, `[bins, frames]`.
    pub(crate) fn targets(noisy: &Spectrum, clean: &Spectrum) -> Vec<f32> {
        let part = |at: usize| {
            let (x, s) = (noisy.values[at], clean.values[at]);
            (s * x.conj()).re / x.norm().max(f64::MIN_POSITIVE)
        };
        by_bin(noisy, part, |_, x| x as f32)
    }

    /// The `length` samples of `spectrum` weighed by `mask: [bins, frames]`.
    ///
    /// # Errors
    /// A mask of another size.
    pub fn masked(&self, spectrum: &Spectrum, mask: &[f64], length: usize) -> Result<Vec<f32>> {
        let Spectrum { frames, bins, values } = spectrum;
        if mask.len() != values.len() {
            let (due, found) = (values.len(), mask.len());
            return Err(Error::Usage(format!(
                "frames to mask: expected a mask of {bins} by {frames}, {due} values, found {found}"
            )));
        }
        let weighed = |(at, value)| {
            let (t, k) = (at / bins, at % bins);
            value * mask[k * frames + t]
        };
        let values = values.iter().copied().enumerate().map(weighed).collect();
        self.stft.inverse(&Spectrum { frames: *frames, bins: *bins, values }, length).map_err(of_audio)
    }
}

/// The factor that brings `samples` to the level at which sounds are masked; 1 for silence.
pub(crate) fn levelling(samples: &[f32]) -> f64 {
    let level = rms(samples);
    if level > SILENT { LEVEL / level } else { 1.0 }
}

/// Values of a spectrum, frequency by frequency.
fn by_bin(spectrum: &Spectrum, value: impl Fn(usize) -> f64, of: impl Fn(usize, f64) -> f32) -> Vec<f32> {
    let Spectrum { frames, bins, .. } = *spectrum;
    (0..bins * frames)
        .map(|i| (i / frames.max(1), i % frames.max(1)))
        .map(|(k, t)| of(k, value(t * bins + k)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_nn::RandomKey;

    fn noise(seed: u64, length: usize) -> Vec<f32> {
        (0..length).map(|i| 0.1 * RandomKey::new(seed).normal(i as u64) as f32).collect()
    }

    #[test]
    fn a_mask_of_ones_changes_nothing_and_half_halves() {
        let plan = Masking::learned(8000, [noise(1, 4000)].into_iter()).unwrap();
        let samples = noise(2, 3001);
        let spectrum = plan.spectrum(&samples).unwrap();
        assert_eq!((spectrum.frames, plan.bins()), (plan.frames(3001), 129));
        for weight in [1.0, 0.5] {
            let found = plan.masked(&spectrum, &vec![weight; spectrum.values.len()], 3001).unwrap();
            let off = |(a, b): (&f32, &f32)| (f64::from(*a) - weight * f64::from(*b)).abs();
            assert!(found.iter().zip(&samples).map(off).all(|off| off < 1e-6));
        }
        let text = plan.masked(&spectrum, &[1.0], 3001).unwrap_err().to_string();
        assert!(text.starts_with("frames to mask: expected a mask of 129 by 47, 6063 values, found 1"), "{text}");
    }

    #[test]
    fn the_mask_of_the_targets_is_the_best_of_real_masks() {
        let plan = Masking::learned(8000, [noise(1, 4000)].into_iter()).unwrap();
        let clean: Vec<f32> = (0..4000).map(|i| (i as f32 * 0.3).sin() * 0.1).collect();
        let noisy: Vec<f32> = clean.iter().zip(noise(3, 4000)).map(|(a, b)| a + b).collect();
        let [x, s] = [&noisy, &clean].map(|samples| plan.spectrum(samples).unwrap());
        let (sizes, targets) = (Masking::magnitudes(&x), Masking::targets(&x, &s));
        // Of the frames that masks give, these are the nearest to the clean ones, of every value.
        for (at, (size, target)) in sizes.iter().zip(&targets).enumerate() {
            let (k, t) = (at / x.frames, at % x.frames);
            let [x, s] = [&x, &s].map(|of| of.values[t * of.bins + k]);
            let best = f64::from(*target) / f64::from(*size);
            let off = |mask: f64| (x * mask - s).norm();
            assert!(off(best) <= off(best + 0.01).min(off(best - 0.01)) + 1e-9);
        }
    }

    #[test]
    fn what_cannot_be_is_told() {
        let spec = MaskingSpec { rate: 8000, window: 4, hop: 2, mean: vec![0.0], std: vec![1.0; 3] };
        let text = Masking::new(spec).err().unwrap().to_string();
        assert!(
            text.ends_with("expected 3 means and deviations and a hop of half a window at most, found 1 and 3, and 2"),
            "{text}"
        );
    }
}
