//! Another rate, by rubato: windowed sinc interpolation, which removes what the new rate cannot hold.

use crate::{Clip, Error, Result};
use rubato::audioadapter_buffers::owned::InterleavedOwned;
use rubato::{Async, FixedAsync, Resampler, SincInterpolationParameters, SincInterpolationType, WindowFunction};

/// Samples that are handed over at a time.
const CHUNK: usize = 1024;
/// The most by which a rate is changed, either way: no sound is recorded further from what is asked.
const MOST: u32 = 256;

impl Clip {
    /// The same sound at `rate` samples a second. Frequencies above half of it are removed, so that none is folded back;
    /// times are kept to a sample of the slower rate.
    ///
    /// # Errors
    /// A rate of 0, or one more than 256 times apart.
    pub fn at_rate(&self, rate: u32) -> Result<Self> {
        let apart = |a: u32, b: u32| a > b.saturating_mul(MOST);
        if rate == 0 || self.rate == 0 || apart(rate, self.rate) || apart(self.rate, rate) {
            let detail = format!("expected rates at most {MOST} times apart, found {} and {rate}", self.rate);
            return Err(Error::Argument(format!("resample: {detail}")));
        }
        if rate == self.rate || self.samples.is_empty() {
            return Ok(Self { samples: self.samples.clone(), rate });
        }
        let ratio = f64::from(rate) / f64::from(self.rate);
        let wrong = |detail: String| Error::Argument(format!("resample: {} to {rate} a second: {detail}", self.rate));
        // The filter covers as many periods of the lower rate, whichever that is.
        let length = (128.0 / ratio.min(1.0)).ceil() as usize;
        let parameters = SincInterpolationParameters {
            sinc_len: length.next_multiple_of(8),
            f_cutoff: None,
            oversampling_factor: 128,
            interpolation: SincInterpolationType::Cubic,
            window: WindowFunction::BlackmanHarris2,
        };
        let mut resampler = Async::<f32>::new_sinc(ratio, 1.0, &parameters, CHUNK, 1, FixedAsync::Input)
            .map_err(|e| wrong(e.to_string()))?;
        let n = self.samples.len();
        let input = InterleavedOwned::new_from(self.samples.clone(), 1, n).map_err(|e| wrong(e.to_string()))?;
        let output = resampler.process_all(&input, n, None).map_err(|e| wrong(e.to_string()))?;
        Ok(Self { samples: output.take_data(), rate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hz: f64, rate: u32) -> Clip {
        let sample = |i: u32| (f64::from(i) / f64::from(rate) * hz * std::f64::consts::TAU).sin() as f32;
        Clip { samples: (0..rate).map(sample).collect(), rate }
    }

    /// The loudness of what is away from both ends, where the filter sees silence.
    fn loud(samples: &[f32]) -> f64 {
        let middle = &samples[samples.len() / 8..samples.len() * 7 / 8];
        (middle.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / middle.len() as f64).sqrt()
    }

    /// The amplitude and phase of the middle's part at `hz`, and how loud the rest is.
    fn part(samples: &[f32], hz: f64, rate: u32) -> (f64, f64, f64) {
        let (from, to) = (samples.len() / 8, samples.len() * 7 / 8);
        let angle = |i: usize| i as f64 / f64::from(rate) * hz * std::f64::consts::TAU;
        let along = |of: fn(f64) -> f64| {
            (from..to).map(|i| f64::from(samples[i]) * of(angle(i))).sum::<f64>() * 2.0 / (to - from) as f64
        };
        let (a, b) = (along(f64::sin), along(f64::cos));
        let rest: Vec<f32> = (0..samples.len())
            .map(|i| (f64::from(samples[i]) - a * angle(i).sin() - b * angle(i).cos()) as f32)
            .collect();
        (a.hypot(b), b.atan2(a), loud(&rest))
    }

    #[test]
    fn a_tone_is_the_same_tone_at_another_rate() {
        for (from, to) in [(44_100, 16_000), (8_000, 16_000), (22_050, 8_000), (16_000, 44_100)] {
            let found = tone(1000.0, from).at_rate(to).unwrap();
            assert_eq!((found.samples.len() as u32, found.rate), (to, to), "{from} {to}");
            let (amplitude, phase, rest) = part(&found.samples, 1000.0, to);
            assert!((amplitude - 1.0).abs() < 1e-3 && rest < 1e-3, "{from} {to}: {amplitude} {rest}");
            // Within a sample of the slower rate.
            let shift = phase / std::f64::consts::TAU / 1000.0 * f64::from(from.min(to));
            assert!(shift.abs() <= 1.0, "{from} {to}: {shift}");
        }
    }

    #[test]
    fn what_the_new_rate_cannot_hold_is_gone() {
        // 5 kHz would be folded to 3 kHz at 8 kHz.
        let found = tone(5000.0, 44_100).at_rate(8000).unwrap();
        assert!(loud(&found.samples) < 1e-3, "{}", loud(&found.samples));
        // 3 kHz is kept.
        let kept = loud(&tone(3000.0, 44_100).at_rate(8000).unwrap().samples);
        assert!((kept - 0.5_f64.sqrt()).abs() < 0.01, "{kept}");
    }

    #[test]
    fn what_cannot_be_is_told() {
        let told = |from, to| Clip { samples: vec![0.0], rate: from }.at_rate(to).unwrap_err().to_string();
        let due = "resample: expected rates at most 256 times apart, found";
        assert_eq!(told(8000, 0), format!("{due} 8000 and 0"));
        assert_eq!(told(8000, 10), format!("{due} 8000 and 10"));
        assert_eq!(told(1, 8000), format!("{due} 1 and 8000"));
        let same = Clip { samples: vec![0.5], rate: 8 };
        assert_eq!(same.at_rate(8).unwrap(), same);
    }
}
