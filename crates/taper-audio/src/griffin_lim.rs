//! Griffin–Lim: samples whose magnitudes are the given ones, as nearly as phases can be found (D. W. Griffin and J. S. Lim,
//! 1984), with the momentum of N. Perraudin, P. Balazs and P. L. Søndergaard, "A fast Griffin-Lim algorithm", 2013.
//!
//! Phases are those of the spectrum that the last samples have, X ← |S| · Y/|Y| with Y = Z − m/(1 + m) · Z′, where Z is the
//! spectrum of the inverse of X and Z′ that of the round before.

use crate::{Error, Result, Spectrum, Stft};
use realfft::num_complex::Complex;
use std::f64::consts::PI;
use taper_backend::RandomKey;

/// How long and from where phases are looked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GriffinLim {
    /// Rounds.
    pub iterations: usize,
    /// Momentum, from 0 (as in 1984) to below 1.
    pub momentum: f64,
    /// The seed of random first phases; `None` for phases of 0.
    pub seed: Option<u64>,
}

impl Default for GriffinLim {
    /// 32 rounds with a momentum of 0.99 from random phases, as librosa and torchaudio do.
    fn default() -> Self {
        Self { iterations: 32, momentum: 0.99, seed: Some(0) }
    }
}

/// `length` samples whose magnitudes under `stft` are near `magnitudes: [frames, bins]`.
///
/// # Errors
/// Magnitudes that are no rows of the transform's bins, and a momentum outside [0, 1).
pub fn griffin_lim(stft: &Stft, magnitudes: &[f64], length: usize, options: GriffinLim) -> Result<Vec<f32>> {
    let (bins, GriffinLim { iterations, momentum, seed }) = (stft.bins(), options);
    if magnitudes.is_empty() || !magnitudes.len().is_multiple_of(bins) {
        let found = magnitudes.len();
        return Err(Error::Argument(format!("griffin_lim: expected rows of {bins} magnitudes, found {found} in all")));
    }
    if !(0.0..1.0).contains(&momentum) {
        return Err(Error::Argument(format!("griffin_lim: expected a momentum from 0 to below 1, found {momentum}")));
    }
    let key = seed.map(|seed| RandomKey::new(seed).child("griffin-lim"));
    let first = |(i, magnitude): (usize, &f64)| {
        let angle = key.map_or(0.0, |key| 2.0 * PI * key.uniform(i as u64));
        Complex::from_polar(*magnitude, angle)
    };
    let values = magnitudes.iter().enumerate().map(first).collect();
    let mut spectrum = Spectrum { frames: magnitudes.len() / bins, bins, values };
    let mut before: Option<Vec<Complex<f64>>> = None;
    for _ in 0..iterations {
        // Not rounded: the phases of the smallest magnitudes would be those of the rounding.
        let samples = stft.samples(&spectrum, length)?;
        let found = stft.spectrum(samples.len(), |at| samples[at])?;
        let same = found.values.iter().copied().chain(std::iter::repeat(Complex::new(0.0, 0.0)));
        for (i, ((to, found), magnitude)) in spectrum.values.iter_mut().zip(same).zip(magnitudes).enumerate() {
            let last = before.as_ref().and_then(|before| before.get(i)).copied().unwrap_or_default();
            let phase = found - last * (momentum / (1.0 + momentum));
            *to = phase * (magnitude / (phase.norm() + 1e-16));
        }
        before = Some(found.values);
    }
    stft.inverse(&spectrum, length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Padding, StftConfig};

    fn stft() -> Stft {
        Stft::new(StftConfig { size: 256, window: 256, hop: 64, padding: Padding::Reflect }).unwrap()
    }

    #[test]
    fn magnitudes_come_near() {
        let stft = stft();
        let x: Vec<f32> = (0..4000).map(|i| (i as f32 * 0.2).sin() * (i as f32 * 0.003).sin()).collect();
        let due = stft.forward(&x).unwrap().power(1.0);
        let far = |samples: &[f32]| {
            let found = stft.forward(samples).unwrap().power(1.0);
            let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
            norm(&mut found.iter().zip(&due).map(|(a, b)| a - b)) / norm(&mut due.iter().copied())
        };
        let of =
            |iterations| griffin_lim(&stft, &due, x.len(), GriffinLim { iterations, ..GriffinLim::default() }).unwrap();
        let (none, some) = (far(&of(0)), far(&of(50)));
        assert!(some < 0.1 && some < none / 4.0, "{none} {some}");
        assert_eq!(of(3), of(3));
    }

    #[test]
    fn what_cannot_be_is_told() {
        let told = |magnitudes: &[f64], momentum| {
            let options = GriffinLim { momentum, ..GriffinLim::default() };
            griffin_lim(&stft(), magnitudes, 100, options).unwrap_err().to_string()
        };
        assert_eq!(told(&[1.0; 128], 0.0), "griffin_lim: expected rows of 129 magnitudes, found 128 in all");
        assert_eq!(told(&[1.0; 129], 1.0), "griffin_lim: expected a momentum from 0 to below 1, found 1");
    }
}
