//! The short-time Fourier transform and its inverse (D. W. Griffin and J. S. Lim, "Signal estimation from modified short-time
//! Fourier transform", 1984, equation 6), as torch.stft and torch.istft define them:
//!
//! X[t, k] = Σ_n w[n] x[t·hop + n − size/2] e^(−2πikn/size), for k from 0 to size/2.
//!
//! A window that is shorter than the transform is in its middle. All is computed in f64.

use crate::{Error, Result};
use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use std::f64::consts::PI;
use std::sync::Arc;

/// What frames see beyond the ends of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Padding {
    /// Frame t is around sample t·hop, and the samples are mirrored at both ends without repeating the last: torch's
    /// default, `reflect` in librosa.
    #[default]
    Reflect,
    /// Frame t is around sample t·hop, with zeros beyond both ends.
    Zeros,
    /// Frame t begins at sample t·hop, and no frame reaches beyond the end (`center=False`).
    None,
}

/// The sizes of a short-time Fourier transform, in samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StftConfig {
    /// The length of the transform, at least 2.
    pub size: usize,
    /// The length of the Hann window, at most `size`.
    pub window: usize,
    /// From one frame to the next, at least 1.
    pub hop: usize,
    /// What frames see beyond the ends.
    pub padding: Padding,
}

/// A planned short-time Fourier transform. Clones share the plan.
#[derive(Clone)]
pub struct Stft {
    config: StftConfig,
    /// Of `config.size` values, zeros around a shorter window.
    window: Vec<f64>,
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
}

/// Complex amplitudes, a row of `bins` for each frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// The number of frames.
    pub frames: usize,
    /// Frequencies of a frame, `size / 2 + 1`: bin k is k · rate / size Hz.
    pub bins: usize,
    /// `[frames, bins]`.
    pub values: Vec<Complex<f64>>,
}

impl Spectrum {
    /// |X|ᵖ of each value: `power` 1 for magnitudes, 2 for power.
    pub fn power(&self, power: f64) -> Vec<f64> {
        let of = |value: &Complex<f64>| match power {
            2.0 => value.norm_sqr(),
            1.0 => value.norm(),
            _ => value.norm().powf(power),
        };
        self.values.iter().map(of).collect()
    }
}

/// The periodic Hann window, ½ − ½ cos(2πn/length).
pub fn hann(length: usize) -> Vec<f64> {
    (0..length).map(|n| 0.5 - 0.5 * (2.0 * PI * n as f64 / length as f64).cos()).collect()
}

impl Stft {
    /// With a periodic Hann window.
    ///
    /// # Errors
    /// Sizes that cannot be.
    pub fn new(config: StftConfig) -> Result<Self> {
        let StftConfig { size, window, hop, .. } = config;
        if size < 2 || hop == 0 || window == 0 || window > size {
            let detail = "a size of 2 at least, a window of 1 to that size and a hop of 1 at least";
            return Err(Error::Argument(format!("stft: expected {detail}, found {size}, {window} and {hop}")));
        }
        let mut planner = RealFftPlanner::new();
        let before = (size - window) / 2;
        let mut padded = vec![0.0; size];
        padded[before..before + window].copy_from_slice(&hann(window));
        Ok(Self {
            config,
            window: padded,
            forward: planner.plan_fft_forward(size),
            inverse: planner.plan_fft_inverse(size),
        })
    }

    /// The sizes.
    pub fn config(&self) -> StftConfig {
        self.config
    }

    /// The number of frequencies of a frame.
    pub fn bins(&self) -> usize {
        self.config.size / 2 + 1
    }

    /// The number of frames of so many samples.
    pub fn frames(&self, samples: usize) -> usize {
        let reach = match self.config.padding {
            Padding::None => samples,
            Padding::Reflect | Padding::Zeros => samples + 2 * (self.config.size / 2),
        };
        reach.checked_sub(self.config.size).map_or(0, |rest| rest / self.config.hop + 1)
    }

    /// The amplitudes of `samples`.
    ///
    /// # Errors
    /// Fewer samples than a frame needs: more than half the transform's length where they are mirrored, that length without
    /// padding, one otherwise.
    pub fn forward(&self, samples: &[f32]) -> Result<Spectrum> {
        self.spectrum(samples.len(), |at| samples[at].into())
    }

    /// The amplitudes of the `n` samples that `sample` gives.
    pub(crate) fn spectrum(&self, n: usize, sample: impl Fn(usize) -> f64) -> Result<Spectrum> {
        let StftConfig { size, hop, padding, .. } = self.config;
        let half = size / 2;
        let least = match padding {
            Padding::Reflect => half + 1,
            Padding::Zeros => 1,
            Padding::None => size,
        };
        if n < least {
            let of = format!("frames of {size}");
            return Err(Error::Argument(format!("stft: expected {least} samples at least, for {of}, found {n}")));
        }
        let (frames, bins) = (self.frames(n), self.bins());
        let at = |place: usize| -> f64 {
            // Of the samples with their padding.
            let place = match padding {
                Padding::None => return sample(place),
                Padding::Reflect | Padding::Zeros => place as isize - half as isize,
            };
            let mirrored = match usize::try_from(place) {
                Ok(place) if place < n => place,
                _ if padding == Padding::Zeros => return 0.0,
                Ok(place) => 2 * (n - 1) - place,
                Err(_) => place.unsigned_abs(),
            };
            sample(mirrored)
        };
        let mut values = vec![Complex::new(0.0, 0.0); frames * bins];
        let (mut frame, mut scratch) = (vec![0.0; size], self.forward.make_scratch_vec());
        for (t, row) in values.chunks_exact_mut(bins).enumerate() {
            for (k, (value, weight)) in frame.iter_mut().zip(&self.window).enumerate() {
                *value = if *weight == 0.0 { 0.0 } else { at(t * hop + k) * weight };
            }
            self.forward.process_with_scratch(&mut frame, row, &mut scratch).map_err(failed)?;
        }
        Ok(Spectrum { frames, bins, values })
    }

    /// The `length` samples whose amplitudes are the nearest to `spectrum` in the sense of least squares: the frames' inverse
    /// transforms, windowed, overlapped and added, divided by the sum of the squared windows. Where no window reaches, zeros.
    ///
    /// # Errors
    /// A spectrum of another number of bins.
    pub fn inverse(&self, spectrum: &Spectrum, length: usize) -> Result<Vec<f32>> {
        Ok(self.samples(spectrum, length)?.into_iter().map(|x| x as f32).collect())
    }

    /// As [`inverse`](Self::inverse), not rounded to f32.
    pub(crate) fn samples(&self, spectrum: &Spectrum, length: usize) -> Result<Vec<f64>> {
        let StftConfig { size, hop, padding, .. } = self.config;
        let Spectrum { frames, bins, values } = spectrum;
        if *bins != self.bins() || values.len() != frames * bins {
            let (due, found) = (self.bins(), values.len());
            let detail = format!("expected rows of {due} bins, found {bins}, and {found} values in {frames} rows");
            return Err(Error::Argument(format!("stft: {detail}")));
        }
        let reach = frames.saturating_sub(1) * hop + size;
        let (mut sum, mut weights) = (vec![0.0; reach], vec![0.0; reach]);
        let (mut row, mut frame) = (self.inverse.make_input_vec(), self.inverse.make_output_vec());
        let mut scratch = self.inverse.make_scratch_vec();
        for (t, from) in values.chunks_exact(*bins).enumerate() {
            row.copy_from_slice(from);
            // Real signals have none there; what was changed may.
            row[0].im = 0.0;
            if size % 2 == 0 {
                row[bins - 1].im = 0.0;
            }
            self.inverse.process_with_scratch(&mut row, &mut frame, &mut scratch).map_err(failed)?;
            for (k, (value, weight)) in frame.iter().zip(&self.window).enumerate() {
                sum[t * hop + k] += value * weight / size as f64;
                weights[t * hop + k] += weight * weight;
            }
        }
        let start = if padding == Padding::None { 0 } else { size / 2 };
        let sample = |at: usize| match (sum.get(start + at), weights.get(start + at)) {
            (Some(sum), Some(weight)) if *weight > 1e-11 => sum / weight,
            _ => 0.0,
        };
        Ok((0..length).map(sample).collect())
    }
}

fn failed(error: realfft::FftError) -> Error {
    Error::Argument(format!("stft: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(size: usize, window: usize, hop: usize, padding: Padding) -> StftConfig {
        StftConfig { size, window, hop, padding }
    }

    /// The definition, term by term.
    fn twin(x: &[f32], c: StftConfig, t: usize, k: usize) -> Complex<f64> {
        let (n, before) = (x.len() as isize, (c.size - c.window) / 2);
        let window = hann(c.window);
        (0..c.window).fold(Complex::new(0.0, 0.0), |sum, i| {
            let at = (t * c.hop + before + i) as isize;
            let at = if c.padding == Padding::None { at } else { at - (c.size / 2) as isize };
            let at = match c.padding {
                Padding::Reflect if at < 0 => -at,
                Padding::Reflect if at >= n => 2 * (n - 1) - at,
                _ => at,
            };
            let x = if (0..n).contains(&at) { f64::from(x[at as usize]) } else { 0.0 };
            let angle = -2.0 * PI * (k * (before + i)) as f64 / c.size as f64;
            sum + Complex::from_polar(window[i] * x, angle)
        })
    }

    #[test]
    fn amplitudes_are_those_of_the_definition() {
        let x: Vec<f32> = (0..50).map(|i| ((i * i) as f32 * 0.37).sin()).collect();
        for c in [
            config(16, 16, 5, Padding::Reflect),
            config(16, 10, 4, Padding::Zeros),
            config(15, 15, 7, Padding::None),
            config(9, 6, 3, Padding::Reflect),
        ] {
            let found = Stft::new(c).unwrap().forward(&x).unwrap();
            let padded = if c.padding == Padding::None { 50 } else { 50 + 2 * (c.size / 2) };
            assert_eq!((found.frames, found.bins), ((padded - c.size) / c.hop + 1, c.size / 2 + 1));
            for t in 0..found.frames {
                for k in 0..found.bins {
                    let (a, b) = (found.values[t * found.bins + k], twin(&x, c, t, k));
                    // Sums of at most 16 terms in f64.
                    assert!((a - b).norm() < 1e-13, "{c:?} {t} {k}: {a} {b}");
                }
            }
        }
    }

    #[test]
    fn what_was_transformed_comes_back() {
        let x: Vec<f32> = (0..300).map(|i| ((i * i) as f32 * 0.011).sin()).collect();
        for c in [
            config(64, 64, 16, Padding::Reflect),
            config(64, 40, 10, Padding::Zeros),
            config(33, 33, 8, Padding::Reflect),
        ] {
            let stft = Stft::new(c).unwrap();
            let back = stft.inverse(&stft.forward(&x).unwrap(), x.len()).unwrap();
            // The last samples are in one frame at least; all come back to f32's precision.
            let worst = x.iter().zip(&back).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-6, "{c:?}: {worst}");
        }
    }

    #[test]
    fn what_cannot_be_is_told() {
        let told = |c| Stft::new(c).err().unwrap().to_string();
        let due = "stft: expected a size of 2 at least, a window of 1 to that size and a hop of 1 at least, found";
        assert_eq!(told(config(8, 9, 1, Padding::None)), format!("{due} 8, 9 and 1"));
        assert_eq!(told(config(8, 8, 0, Padding::None)), format!("{due} 8, 8 and 0"));
        let stft = Stft::new(config(8, 8, 2, Padding::Reflect)).unwrap();
        let text = stft.forward(&[0.0; 4]).unwrap_err().to_string();
        assert_eq!(text, "stft: expected 5 samples at least, for frames of 8, found 4");
        let other = Spectrum { frames: 1, bins: 4, values: vec![Complex::new(0.0, 0.0); 4] };
        let text = stft.inverse(&other, 8).unwrap_err().to_string();
        assert_eq!(text, "stft: expected rows of 5 bins, found 4, and 4 values in 1 rows");
    }
}
