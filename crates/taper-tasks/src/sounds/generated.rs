//! Sounds of six kinds in the place of recordings, with what differs within a kind drawn: pitch, length, loudness.

use crate::speech::Recording;
use std::f64::consts::TAU;
use taper_nn::RandomKey;

/// The kinds, in alphabetical order.
pub(super) const KINDS: [&str; 6] = ["bell", "chirp", "click", "hiss", "siren", "tone"];
/// Sounds of each kind in training and in the test.
const EACH: [usize; 2] = [24, 10];

/// The sounds of both splits, in `rate` samples a second.
pub(super) fn kinds(rate: u32) -> [Vec<Recording>; 2] {
    let key = RandomKey::new(0).child("kinds");
    let of = |split: usize| -> Vec<Recording> {
        let numbers = if split == 0 { 0..EACH[0] } else { EACH[0]..EACH[0] + EACH[1] };
        let sound = |number: usize, class: usize| {
            let key = key.index((number * KINDS.len() + class) as u64);
            Recording { samples: sound(KINDS[class], key, rate), class, voice: format!("{}{number}", KINDS[class]) }
        };
        numbers.flat_map(|number| (0..KINDS.len()).map(move |class| sound(number, class))).collect()
    };
    [of(0), of(1)]
}

fn sound(kind: &str, key: RandomKey, rate: u32) -> Vec<f32> {
    let draw = key.child("draw");
    let between = |i: u64, low: f64, high: f64| low + (high - low) * draw.uniform(i);
    let (seconds, hz) = (between(0, 0.3, 0.9), 150.0 * 8.0_f64.powf(draw.uniform(1)));
    let (rate, mut phase, mut loud) = (f64::from(rate), 0.0, 0.0);
    let sample = |i: usize| {
        let time = i as f64 / rate;
        let noise = key.normal(i as u64);
        let mut turn = |hz: f64| {
            phase += hz / rate;
            (TAU * phase).sin()
        };
        let sound = match kind {
            // Partials that do not fit together, fading.
            "bell" => {
                let partials = [1.0, 2.76, 5.4].map(|n| (TAU * n * hz * time).sin() / n);
                partials.iter().sum::<f64>() * (-4.0 * time).exp()
            }
            "chirp" => turn(hz * (1.0 + 3.0 * time / seconds)),
            "click" => {
                loud = if draw.uniform(100 + i as u64) < 12.0 / rate { 1.0 } else { loud * (-400.0 / rate).exp() };
                loud * noise
            }
            "hiss" => noise,
            "siren" => turn(hz * (1.0 + 0.3 * (TAU * 5.0 * time).sin())),
            _ => turn(hz),
        };
        sound + 0.03 * noise
    };
    let samples: Vec<f64> = (0..(seconds * rate) as usize).map(sample).collect();
    let loudest = samples.iter().fold(f64::MIN_POSITIVE, |most, x| most.max(x.abs()));
    samples.iter().map(|x| (x * 0.5 / loudest) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_the_same_each_time_and_no_sound_is_on_both_sides() {
        let [train, test] = kinds(8000);
        assert_eq!((train.len(), test.len()), (144, 60));
        assert_eq!(kinds(8000), [train.clone(), test.clone()]);
        let finite = |of: &Recording| of.samples.iter().all(|x| x.is_finite() && x.abs() <= 0.5);
        assert!(train.iter().chain(&test).all(finite));
        assert!(train.iter().all(|a| test.iter().all(|b| a.voice != b.voice && a.samples != b.samples)));
    }
}
