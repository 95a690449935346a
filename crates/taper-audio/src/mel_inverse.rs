//! Power of frequencies from a mel spectrogram, of which filters keep a part alone: the least squares without negative values, by
//! multiplicative steps (D. D. Lee and H. S. Seung, "Algorithms for non-negative matrix factorization", NIPS 2000, theorem 1):
//! p ← p · Fᵀm / FᵀF p.

use crate::{Error, Mel, MelSpectrogram, Result};

/// Steps; those after make little difference.
const STEPS: usize = 60;

impl MelSpectrogram {
    /// Magnitudes `[frames, bins]` whose mel spectrogram is near `mel`, for [`griffin_lim`](crate::griffin_lim()).
    ///
    /// # Errors
    /// Another number of filters, or values that are not as many as filters and frames say.
    pub fn magnitudes(&self, mel: &Mel) -> Result<Vec<f64>> {
        let (bins, mels, frames) = (self.stft().bins(), self.config().mels, mel.frames);
        if mel.mels != mels || mel.values.len() != mels * frames {
            let (of, found) = (mel.mels, mel.values.len());
            let detail = format!("expected {mels} filters of {frames} values, found {of}, and {found} values");
            return Err(Error::Argument(format!("mel: {detail}")));
        }
        let filters = self.filters();
        let rows: Vec<&[f64]> = filters.chunks_exact(bins).collect();
        // Fᵀ x, of a value for each filter.
        let back = |x: &[f64]| -> Vec<f64> {
            let mut sums = vec![0.0; bins];
            for (row, x) in rows.iter().zip(x) {
                sums.iter_mut().zip(*row).for_each(|(sum, weight)| *sum += weight * x);
            }
            sums
        };
        let mut all = Vec::with_capacity(frames * bins);
        for frame in 0..frames {
            let due: Vec<f64> = (0..mels).map(|i| f64::from(mel.values[i * frames + frame]).max(0.0)).collect();
            let numerator = back(&due);
            let mut power = numerator.clone();
            for _ in 0..STEPS {
                let found: Vec<f64> = rows.iter().map(|row| row.iter().zip(&power).map(|(w, p)| w * p).sum()).collect();
                let under = back(&found);
                for ((power, over), under) in power.iter_mut().zip(&numerator).zip(&under) {
                    *power = if *under > 0.0 { *power * over / under } else { 0.0 };
                }
            }
            all.extend(power.into_iter().map(|power| power.powf(1.0 / self.config().power)));
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Complex, MelConfig, Spectrum};

    #[test]
    fn what_comes_back_has_the_same_mel_spectrogram() {
        let plan = MelSpectrogram::new(MelConfig::speech(8000)).unwrap();
        let samples: Vec<f32> =
            (0..4000).map(|i| (i as f32 * 0.2).sin() * 0.2 + ((i * i) % 97) as f32 * 1e-3).collect();
        let mel = plan.forward(&samples).unwrap();
        let found = plan.magnitudes(&mel).unwrap();
        assert!(found.iter().all(|x| *x >= 0.0 && x.is_finite()));
        let values = found.iter().map(|x| Complex::new(*x, 0.0)).collect();
        let power = Spectrum { frames: mel.frames, bins: plan.stft().bins(), values }.power(2.0);
        let filters = plan.filters();
        let (mut off, mut all) = (0.0, 0.0);
        for (i, row) in filters.chunks_exact(plan.stft().bins()).enumerate() {
            for (frame, power) in power.chunks_exact(plan.stft().bins()).enumerate() {
                let again: f64 = row.iter().zip(power).map(|(w, p)| w * p).sum();
                let due = f64::from(mel.values[i * mel.frames + frame]);
                off += (again - due).powi(2);
                all += due * due;
            }
        }
        // What so many steps leave.
        assert!((off / all).sqrt() < 5e-3, "{}", (off / all).sqrt());

        let other = Mel { mels: 3, frames: 1, values: vec![0.0; 3] };
        let text = plan.magnitudes(&other).unwrap_err().to_string();
        assert!(text.ends_with("mel: expected 40 filters of 1 values, found 3, and 3 values"), "{text}");
    }
}
