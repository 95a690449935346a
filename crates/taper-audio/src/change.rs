//! Changes of a sound by which a network learns what does not matter: speed, noise, place, loudness. Each is a function of
//! its arguments alone, so that a run can be repeated.

use realfft::RealFftPlanner;
use realfft::num_complex::Complex;
use taper_backend::RandomKey;

/// The root of the mean square of `samples`; 0 of none.
pub fn rms(samples: &[f32]) -> f64 {
    let squares: f64 = samples.iter().map(|x| f64::from(*x).powi(2)).sum();
    (squares / samples.len().max(1) as f64).sqrt()
}

/// `samples` at `factor` times their speed, by linear interpolation: shorter and higher above 1, as a tape that runs faster.
/// A factor that is not positive leaves them as they are.
pub fn at_speed(samples: &[f32], factor: f64) -> Vec<f32> {
    // Written so that NaN is refused.
    if !(factor > 0.0 && factor.is_finite()) || samples.is_empty() {
        return samples.to_vec();
    }
    let length = ((samples.len() as f64 / factor) as usize).max(1);
    let last = samples.len() - 1;
    let sample = |i: usize| {
        let place = (i as f64 * factor).min(last as f64);
        let (at, part) = (place as usize, place.fract() as f32);
        samples[at] + part * (samples[(at + 1).min(last)] - samples[at])
    };
    (0..length).map(sample).collect()
}

/// Noise whose power falls with the frequency (pink) from the 40th part of a thousandth of the rate on, of a root mean square
/// of 1: `length` samples, which join without a jump at the ends. Empty for a length below 2.
pub fn pink_noise(length: usize, key: RandomKey) -> Vec<f32> {
    if length < 2 {
        return Vec::new();
    }
    let plan = RealFftPlanner::<f64>::new().plan_fft_inverse(length);
    let mut spectrum = plan.make_input_vec();
    let (end, low) = (spectrum.len() - 1, (length / 200).max(1));
    for (k, value) in spectrum.iter_mut().enumerate().skip(1).take(end - 1) {
        let at = |part: u64| key.normal(2 * k as u64 + part);
        *value = Complex::new(at(0), at(1)) / (k.max(low) as f64).sqrt();
    }
    let mut samples = plan.make_output_vec();
    // The first and the last value are 0, and so real, as the transform asks for.
    if plan.process(&mut spectrum, &mut samples).is_err() {
        return Vec::new();
    }
    let samples: Vec<f32> = samples.into_iter().map(|x| x as f32).collect();
    let scale = 1.0 / rms(&samples).max(f64::MIN_POSITIVE);
    samples.into_iter().map(|x| (f64::from(x) * scale) as f32).collect()
}

/// `samples` in a window of `length`: where they are shorter, `place` (from 0 to 1) says how much of the silence is before
/// them; where they are longer, how much of what is cut off.
pub fn placed(samples: &[f32], length: usize, place: f64) -> Vec<f32> {
    let part = |rest: usize| ((rest as f64 * place.clamp(0.0, 1.0)).round() as usize).min(rest);
    match length.checked_sub(samples.len()) {
        Some(silence) => {
            let mut all = vec![0.0; length];
            let before = part(silence);
            all[before..before + samples.len()].copy_from_slice(samples);
            all
        }
        None => {
            let before = part(samples.len() - length);
            samples[before..before + length].to_vec()
        }
    }
}

/// Where the loudest `length` samples begin, by their sum of squares; 0 if there are no more.
pub fn loudest(samples: &[f32], length: usize) -> usize {
    let square = |at: usize| f64::from(samples[at]).powi(2);
    let mut sum: f64 = samples.iter().take(length).map(|x| f64::from(*x).powi(2)).sum();
    let (mut best, mut at) = (sum, 0);
    for end in length..samples.len() {
        sum += square(end) - square(end - length);
        if sum > best * (1.0 + 1e-9) {
            (best, at) = (sum, end + 1 - length);
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faster_is_shorter() {
        let ramp: Vec<f32> = (0..100).map(|i| i as f32).collect();
        let twice = at_speed(&ramp, 2.0);
        assert_eq!((twice.len(), twice[10]), (50, 20.0));
        let slower = at_speed(&ramp, 0.8);
        assert_eq!((slower.len(), slower[100]), (125, 80.0));
        assert_eq!(at_speed(&ramp, 0.0), ramp);
        assert_eq!(at_speed(&ramp, f64::NAN), ramp);
        assert_eq!(at_speed(&[], 2.0), [0.0_f32; 0]);
    }

    #[test]
    fn pink_noise_is_stronger_below() {
        let noise = pink_noise(4096, RandomKey::new(3));
        assert!((rms(&noise) - 1.0).abs() < 1e-6);
        assert_eq!(noise, pink_noise(4096, RandomKey::new(3)));
        // The power of an octave is as that of the next: of differences of neighbours the low octaves are gone.
        let steps: Vec<f32> = noise.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(rms(&steps) < 0.8, "{}", rms(&steps));
        assert!(pink_noise(1, RandomKey::new(0)).is_empty());
    }

    #[test]
    fn windows_are_filled_or_cut() {
        let x = [1.0, 2.0, 3.0];
        assert_eq!(placed(&x, 5, 0.0), [1.0, 2.0, 3.0, 0.0, 0.0]);
        assert_eq!(placed(&x, 5, 0.5), [0.0, 1.0, 2.0, 3.0, 0.0]);
        assert_eq!(placed(&x, 2, 1.0), [2.0, 3.0]);
        assert_eq!(placed(&x, 3, 0.7), x);
        assert_eq!(loudest(&[0.0, 0.1, 3.0, -3.0, 0.2], 2), 2);
        assert_eq!(loudest(&[0.0; 4], 2), 0);
        assert_eq!(loudest(&x, 9), 0);
    }
}
