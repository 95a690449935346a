//! The scale-invariant signal-to-noise ratio: how much of a sound is the one that it should be, at whatever level (J. Le Roux, S. Wisdom,
//! H. Erdogan and J. R. Hershey, "SDR – half-baked or well done?", ICASSP 2019, equation 3). As torchmetrics'
//! `scale_invariant_signal_noise_ratio`, in f64.

use super::input::{finite, lengths};
use taper_train::Result;

/// 10 log₁₀ ‖αs‖² / ‖αs − ŝ‖² in dB, of the sound `estimate` ŝ and the true one `target` s, each without its mean, with α = ⟨ŝ, s⟩ / ‖s‖².
/// As there, the machine's ε is added to each sum, so that silence has a finite value.
///
/// ```
/// use taper_tasks::metrics::si_snr;
/// let [target, louder] = [[0.5_f32, -0.5, 0.5, -0.5], [1.0, -1.0, 1.0, -1.0]];
/// assert!(si_snr(&louder, &target)? > 100.0);
/// assert!((si_snr(&[1.0_f32, -1.0, 0.0, 0.0], &target)?).abs() < 1e-9); // half of it is the target
/// # Ok::<(), taper_train::Error>(())
/// ```
///
/// # Errors
/// No sample, different lengths, values that are not finite.
pub fn si_snr<T: Copy + Into<f64>>(estimate: &[T], target: &[T]) -> Result<f64> {
    lengths("si_snr", "samples of the estimate", estimate.len(), target.len())?;
    let [estimate, target] =
        [centred(finite("si_snr", "estimate", estimate)?), centred(finite("si_snr", "target", target)?)];
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let alpha = (dot(&estimate, &target) + f64::EPSILON) / (dot(&target, &target) + f64::EPSILON);
    let noise: f64 = estimate.iter().zip(&target).map(|(estimate, target)| (alpha * target - estimate).powi(2)).sum();
    let signal = alpha * alpha * dot(&target, &target);
    Ok(10.0 * ((signal + f64::EPSILON) / (noise + f64::EPSILON)).log10())
}

fn centred(values: Vec<f64>) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    values.into_iter().map(|value| value - mean).collect()
}
