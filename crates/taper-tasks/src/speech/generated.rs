//! Sounds in the place of recordings: ten "words" of two vowels each, by a source and filters (G. Fant, "Acoustic theory of speech
//! production", 1960): pulses at a voice's pitch through two resonances, whose frequencies move from one vowel to the next.
//! They are no speech; they have what a recogniser must cope with: other pitches, other sizes of the vocal tract, other speeds.

use super::recordings::Recording;
use std::f64::consts::PI;
use taper_nn::RandomKey;

/// The number of words.
pub(super) const WORDS: usize = 10;
/// Voices to learn from, and to be tested on.
const VOICES: [usize; 2] = [16, 6];
/// Recordings of a word by a voice.
const TAKES: usize = 2;
/// The two resonances of five vowels in Hz (G. E. Peterson and H. L. Barney, 1952, rounded).
const VOWELS: [[f64; 2]; 5] = [[270.0, 2290.0], [530.0, 1840.0], [730.0, 1090.0], [570.0, 840.0], [300.0, 870.0]];
/// The vowels of each word.
const SPOKEN: [[usize; 2]; WORDS] = [[0, 2], [0, 4], [1, 3], [1, 0], [2, 0], [2, 4], [3, 1], [3, 0], [4, 2], [4, 1]];

/// The recordings of both splits, in `rate` samples a second.
pub(super) fn voices(rate: u32) -> [Vec<Recording>; 2] {
    let key = RandomKey::new(0).child("spoken");
    let of = |split: usize| {
        let voice = move |voice: usize| {
            let voice = voice + if split == 0 { 0 } else { VOICES[0] };
            (0..WORDS * TAKES).map(move |i| {
                let (class, take) = (i / TAKES, i % TAKES);
                let own = key.index(voice as u64);
                let samples = spoken(class, own, own.child("take").index((class * TAKES + take) as u64), rate);
                Recording { samples, class, voice: format!("voice{voice}") }
            })
        };
        (0..VOICES[split]).flat_map(voice).collect()
    };
    [of(0), of(1)]
}

/// One take of a word by the voice of `voice`.
fn spoken(class: usize, voice: RandomKey, take: RandomKey, rate: u32) -> Vec<f32> {
    let between = |key: RandomKey, i: u64, low: f64, high: f64| low + (high - low) * key.uniform(i);
    let pitch = between(voice, 0, 90.0, 240.0) * between(take, 0, 0.9, 1.1);
    let tract = between(voice, 1, 0.88, 1.15);
    let seconds = between(voice, 2, 0.35, 0.6) * between(take, 1, 0.85, 1.15);
    let rate = f64::from(rate);
    let length = (seconds * rate) as usize;
    let mut samples = vec![0.0; length];
    let (mut phase, mut memory) = (0.0, [[0.0; 2]; 2]);
    for (i, sample) in samples.iter_mut().enumerate() {
        let part = i as f64 / length.max(1) as f64;
        // From vowel to vowel in the middle fifth; the pitch falls.
        let turn = ((part - 0.4) / 0.2).clamp(0.0, 1.0);
        phase += pitch * (1.1 - 0.2 * part) / rate;
        let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
        phase -= pulse;
        let mut x = pulse + 0.02 * take.normal(100 + i as u64);
        for (resonance, memory) in memory.iter_mut().enumerate() {
            let [from, to] = SPOKEN[class].map(|vowel| VOWELS[vowel][resonance]);
            let hz = ((from + (to - from) * turn) * tract).min(0.45 * rate);
            // A pole of a bandwidth of 90 Hz.
            let radius = (-PI * 90.0 / rate).exp();
            let y = x + 2.0 * radius * (2.0 * PI * hz / rate).cos() * memory[0] - radius * radius * memory[1];
            *memory = [y, memory[0]];
            x = y * (1.0 - radius);
        }
        *sample = (x * (PI * part).sin()) as f32;
    }
    let loudest = samples.iter().fold(0.0_f32, |most, x| most.max(x.abs())).max(f32::MIN_POSITIVE);
    samples.iter_mut().for_each(|x| *x *= 0.5 / loudest);
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_the_same_each_time_and_finite() {
        let [train, test] = voices(8000);
        assert_eq!((train.len(), test.len()), (320, 120));
        assert_eq!(voices(8000), [train.clone(), test.clone()]);
        for recording in train.iter().chain(&test) {
            assert!(recording.samples.len() > 1500 && recording.samples.len() < 8000);
            assert!(recording.samples.iter().all(|x| x.is_finite() && x.abs() <= 0.5));
        }
        assert!(train.iter().all(|a| test.iter().all(|b| a.voice != b.voice)));
    }
}
