//! Noises to put over sounds: generated ones of several kinds, of which two are never heard in training.

use crate::speech::{Recording, Recordings, wrong};
use std::f64::consts::TAU;
use std::path::Path;
use taper_audio::{pink_noise, rms};
use taper_nn::RandomKey;
use taper_train::Result;

/// A noise of one kind, of a root mean square of 1.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Noise {
    pub(crate) kind: String,
    pub(crate) samples: Vec<f32>,
}

/// Noises by split.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Noises {
    pub(crate) train: Vec<Noise>,
    pub(crate) validation: Vec<Noise>,
    pub(crate) test: Vec<Noise>,
}

/// Seconds of a generated noise.
const SECONDS: usize = 4;
/// Noises of each kind in training, in validation and in the test.
const EACH: [u64; 3] = [6, 2, 2];
/// Kinds that are learned from.
const KINDS: [&str; 5] = ["white", "pink", "brown", "band", "wind"];
/// Kinds of the test alone.
const UNHEARD: [&str; 2] = ["hum", "clatter"];
/// One of so many noises of a folder is kept for validation.
const KEPT: usize = 6;
/// What is quieter is silence, and no noise.
const SILENT: f64 = 1e-6;

impl Noise {
    /// With samples of whatever level; none if they are silent.
    pub(crate) fn new(kind: impl Into<String>, samples: Vec<f32>) -> Option<Self> {
        let level = rms(&samples);
        let scale = (level > SILENT).then(|| 1.0 / level)?;
        Some(Self { kind: kind.into(), samples: samples.iter().map(|x| (f64::from(*x) * scale) as f32).collect() })
    }

    /// `length` samples from `start` on; behind the last comes the first.
    pub(crate) fn part(&self, start: usize, length: usize) -> Vec<f32> {
        self.samples.iter().cycle().skip(start % self.samples.len().max(1)).take(length).copied().collect()
    }
}

impl Noises {
    /// Generated ones, of `rate` samples a second: the same for all seeds.
    pub(crate) fn generated(rate: u32) -> Self {
        let key = RandomKey::new(0).child("noises");
        let of = |split: usize, kinds: &[&str]| -> Vec<Noise> {
            let before: u64 = EACH.iter().take(split).sum();
            let numbers = before..before + EACH[split];
            let noise = |kind: &&str, number| Noise::new(*kind, generated(kind, key.child(kind).index(number), rate));
            numbers.flat_map(|number| kinds.iter().filter_map(move |kind| noise(kind, number))).collect()
        };
        Self { train: of(0, &KINDS), validation: of(1, &KINDS), test: of(2, &[&KINDS[..], &UNHEARD].concat()) }
    }

    /// Those of the folder `dir`, by kind; a sixth of those to learn from is kept for validation. See [`crate::sounds::open`].
    ///
    /// # Errors
    /// A folder that is not as expected, and one with silence alone.
    pub(crate) fn open(dir: &Path, rate: u32, test: f64, seed: u64) -> Result<Self> {
        let sources = crate::sounds::open(dir, rate, test, seed)?;
        let noises = |of: Recordings| -> Vec<Noise> {
            let noise = |of: Recording| Noise::new(sources.classes.get(of.class)?, of.samples);
            of.all.into_iter().filter_map(noise).collect()
        };
        let (train, test) = (noises(sources.train), noises(sources.test));
        let validation = train.iter().skip(1).step_by(KEPT).cloned().collect();
        let rest = train.into_iter().enumerate().filter(|(i, _)| i % KEPT != 1).map(|(_, noise)| noise);
        let all = Self { train: rest.collect(), validation, test };
        if all.train.is_empty() || all.validation.is_empty() || all.test.is_empty() {
            let detail = "expected noises that are not silent, two to learn from and one to be tested on at least";
            return Err(wrong(dir, detail));
        }
        Ok(all)
    }

    /// The names of kinds in the test that no training noise has.
    pub(crate) fn unheard(&self) -> Vec<String> {
        let heard = |kind: &String| self.train.iter().any(|noise| noise.kind == *kind);
        let mut kinds: Vec<String> =
            self.test.iter().map(|noise| noise.kind.clone()).filter(|kind| !heard(kind)).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    }
}

/// The samples of a noise.
fn generated(kind: &str, key: RandomKey, rate: u32) -> Vec<f32> {
    let length = SECONDS * rate as usize;
    let seconds = |i: usize| i as f64 / f64::from(rate);
    let draw = key.child("draw");
    let between = |i: u64, low: f64, high: f64| low + (high - low) * draw.uniform(i);
    let white = |i: usize| key.normal(i as u64);
    // Power that falls with the square of the frequency, from some 20 Hz on.
    let brown = || {
        let keep = (-TAU * 20.0 / f64::from(rate)).exp();
        let mut sum = 0.0;
        (0..length).map(move |i| {
            sum = keep * sum + white(i);
            sum
        })
    };
    let samples: Vec<f64> = match kind {
        "pink" => return pink_noise(length, key),
        "brown" => brown().collect(),
        // A resonance somewhere between 200 Hz and 0.4 of the rate.
        "band" => {
            let hz = 200.0 * (0.002 * f64::from(rate)).powf(between(0, 0.0, 1.0));
            resonance((0..length).map(white), hz, between(1, 100.0, 500.0), rate)
        }
        // Brown noise that comes and goes.
        "wind" => {
            let (hz, phase) = (between(0, 0.3, 2.0), between(1, 0.0, TAU));
            brown().enumerate().map(|(i, x)| x * (1.0 + 0.8 * (TAU * hz * seconds(i) + phase).sin())).collect()
        }
        // A motor: harmonics, ever weaker, of a frequency that wavers.
        "hum" => {
            let (hz, fall) = (between(0, 50.0, 120.0), between(1, 0.6, 1.4));
            let mut phase = 0.0;
            let sample = |i: usize| {
                phase += hz * (1.0 + 0.01 * (TAU * 1.3 * seconds(i)).sin()) / f64::from(rate);
                let harmonics = (1..=12).map(f64::from).filter(|n| n * hz < 0.45 * f64::from(rate));
                harmonics.map(|n| (TAU * n * phase).sin() / n.powf(fall)).sum::<f64>() + 0.05 * white(i)
            };
            (0..length).map(sample).collect()
        }
        // Dishes: some eight strokes a second, each a ringing that fades within some 30 ms.
        "clatter" => {
            let mut loud = 0.0;
            let strokes = (0..length).map(|i| {
                let stroke = draw.uniform(1000 + i as u64) < 8.0 / f64::from(rate);
                loud = if stroke { 1.0 } else { loud * (-1.0 / (0.03 * f64::from(rate))).exp() };
                loud * white(i)
            });
            resonance(strokes, between(0, 0.1, 0.35) * f64::from(rate), 300.0, rate)
        }
        _ => (0..length).map(white).collect(),
    };
    samples.into_iter().map(|x| x as f32).collect()
}

/// `samples` through a pair of poles at `hz`, `width` Hz wide.
fn resonance(samples: impl Iterator<Item = f64>, hz: f64, width: f64, rate: u32) -> Vec<f64> {
    let radius = (-0.5 * TAU * width / f64::from(rate)).exp();
    let turn = 2.0 * radius * (TAU * hz / f64::from(rate)).cos();
    let mut memory = [0.0; 2];
    let step = |x: f64| {
        let y = x + turn * memory[0] - radius * radius * memory[1];
        memory = [y, memory[0]];
        y
    };
    samples.map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_noise_is_on_two_sides_and_all_are_as_loud() {
        let noises = Noises::generated(8000);
        assert_eq!((noises.train.len(), noises.validation.len(), noises.test.len()), (30, 10, 14));
        assert_eq!(noises, Noises::generated(8000));
        assert_eq!(noises.unheard(), ["clatter", "hum"]);
        let all: Vec<&Noise> = [&noises.train, &noises.validation, &noises.test].into_iter().flatten().collect();
        for (i, noise) in all.iter().enumerate() {
            assert!((rms(&noise.samples) - 1.0).abs() < 1e-4, "{}", noise.kind);
            assert!(noise.samples.iter().all(|x| x.is_finite()));
            assert!(all[..i].iter().all(|other| other.samples != noise.samples), "{}", noise.kind);
        }
        let part = noises.test[0].part(31_999, 3);
        assert_eq!(part, [noises.test[0].samples[31_999], noises.test[0].samples[0], noises.test[0].samples[1]]);
        assert!(Noise::new("silence", vec![0.0; 50]).is_none());
    }
}
