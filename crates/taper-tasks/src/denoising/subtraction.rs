//! Spectral subtraction, the baseline (M. Berouti, R. Schwartz and J. Makhoul, "Enhancement of speech corrupted by acoustic noise",
//! ICASSP 1979): the mean power of the quietest frames is taken for the noise, and more than it is subtracted from the power of each
//! frame.

use taper_audio::Spectrum;

/// The part of the frames that is taken for noise alone.
const QUIETEST: f64 = 0.2;
/// How many times the noise is subtracted.
const OVER: f64 = 2.0;
/// What is left at least, of the power.
const LEFT: f64 = 0.01;

/// The mask of `spectrum`, `[bins, frames]`.
pub(super) fn mask(spectrum: &Spectrum) -> Vec<f64> {
    let Spectrum { frames, bins, .. } = *spectrum;
    let power = spectrum.power(2.0);
    let rows: Vec<&[f64]> = power.chunks_exact(bins.max(1)).collect();
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let energy: Vec<f64> = rows.iter().map(|row| row.iter().sum()).collect();
    order.sort_by(|&a, &b| energy[a].total_cmp(&energy[b]));
    let quiet = ((frames as f64 * QUIETEST).ceil() as usize).max(1);
    let noise = |bin: usize| order.iter().take(quiet).map(|&t| rows[t][bin]).sum::<f64>() / quiet as f64;
    let weigh = |noise: f64, power: f64| (1.0 - OVER * noise / power.max(f64::MIN_POSITIVE)).max(LEFT).sqrt();
    (0..bins)
        .flat_map(|bin| (0..frames).map(move |t| (bin, t)))
        .map(|(bin, t)| (bin, rows[t][bin]))
        .scan((usize::MAX, 0.0), |last, (bin, power)| {
            if last.0 != bin {
                *last = (bin, noise(bin));
            }
            Some(weigh(last.1, power))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_audio::Complex;

    #[test]
    fn what_all_frames_have_is_taken_away() {
        // Ten frames of two frequencies: a hum in the first, and a sound in the second of the last.
        let values = (0..10).flat_map(|t| [Complex::new(1.0, 0.0), Complex::new(if t == 9 { 2.0 } else { 0.0 }, 0.0)]);
        let found = mask(&Spectrum { frames: 10, bins: 2, values: values.collect() });
        assert!(found[..10].iter().all(|weight| (weight - 0.1).abs() < 1e-12), "{found:?}");
        assert!((found[19] - 1.0).abs() < 1e-12, "{found:?}");
    }
}
