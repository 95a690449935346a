//! Recordings of words as frames that are to be spoken, by word and voice.

use super::voice::{BEHIND, PLACES, place};
use crate::speech::{LogMel, Recordings};
use std::sync::Arc;
use taper_data::{Batch, DType, Dataset, FieldSpec};
use taper_train::Result;

/// Recordings as samples with the fields `words`, `voices` and `frames` `[N]` (i64), `mel` `[N, mels, T]`, `places` `[N, places, T]` and `own`
/// `[N, 1, T]`, which is 1 for a sample's own frames and 0 behind them (f32).
#[derive(Clone)]
pub(crate) struct Utterances {
    features: Arc<LogMel>,
    /// Word, voice and frames `[mels, T]` of each.
    all: Vec<(usize, usize, Vec<f32>)>,
}

/// The others, and the last recording of each word by each voice that has two or more.
pub(crate) fn split(recordings: Recordings) -> (Recordings, Recordings) {
    let all = recordings.all;
    let same = |a: usize, b: usize| all[a].class == all[b].class && all[a].voice == all[b].voice;
    let last = |i: usize| (0..i).any(|j| same(i, j)) && !(i + 1..all.len()).any(|j| same(i, j));
    let held: Vec<bool> = (0..all.len()).map(last).collect();
    let (mut rest, mut kept) = (Recordings::default(), Recordings::default());
    for (recording, held) in all.into_iter().zip(held) {
        if held { kept.all.push(recording) } else { rest.all.push(recording) }
    }
    (rest, kept)
}

impl Utterances {
    /// Of these, spoken by `voices`.
    ///
    /// # Errors
    /// A recording that is shorter than a frame.
    pub(crate) fn new(recordings: &Recordings, voices: &[String], features: Arc<LogMel>) -> Result<Self> {
        let one = |recording: &crate::speech::Recording| {
            let voice = voices.iter().position(|voice| *voice == recording.voice).unwrap_or_default();
            Ok((recording.class, voice, features.frames_of(&recording.samples)?))
        };
        let all = recordings.all.iter().map(one).collect::<Result<_>>()?;
        Ok(Self { features, all })
    }

    /// Word, voice and frames `[mels, T]` of sample `index`.
    pub(crate) fn sample(&self, index: usize) -> (usize, usize, &[f32]) {
        let (word, voice, frames) = &self.all[index];
        (*word, *voice, frames)
    }

    /// How far each of `others` is from a recording of this word by this voice, stretched to its length, in dB: the mean over those that
    /// there is one for.
    pub(crate) fn distance_of(&self, others: &Utterances) -> Option<f64> {
        let mels = self.features.spec().mels;
        let far = |(word, voice, frames): &(usize, usize, Vec<f32>)| -> Option<f64> {
            let other = &self.all.iter().find(|of| of.0 == *word && of.1 == *voice)?.2;
            let [own, theirs] = [frames.len() / mels, other.len() / mels];
            let at = |i: usize| {
                let place = ((i % own) as f64 + 0.5) / own as f64 * theirs as f64;
                other[i / own * theirs + (place as usize).min(theirs - 1)]
            };
            let off = |i: usize| f64::from((frames[i] - at(i)).abs() * self.features.spec().std[i / own]);
            Some((0..frames.len()).map(off).sum::<f64>() / frames.len() as f64 * 10.0 / std::f64::consts::LN_10)
        };
        let found: Vec<f64> = others.all.iter().filter_map(far).collect();
        (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
    }
}

impl Dataset for Utterances {
    fn len(&self) -> usize {
        self.all.len()
    }

    fn fields(&self) -> Vec<FieldSpec> {
        let of = |name: &'static str, rows: usize| FieldSpec {
            name: name.into(),
            dtype: DType::F32,
            shape: vec![Some(rows), None],
        };
        let numbers = ["words", "voices", "frames"].map(|name| FieldSpec::new(name, DType::I64, &[]));
        let rows = [of("mel", self.features.spec().mels), of("places", PLACES), of("own", 1)];
        numbers.into_iter().chain(rows).collect()
    }

    fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> taper_data::Result<()> {
        let (n, mels) = (indices.len(), self.features.spec().mels);
        let length = |index: usize| self.all[index].2.len() / mels.max(1);
        let longest = indices.iter().map(|&index| length(index)).max().unwrap_or(0) + BEHIND;
        for (name, of) in [("words", 0), ("voices", 1), ("frames", 2)] {
            for (value, &index) in batch.i64(name, &[n]).iter_mut().zip(indices) {
                *value = [self.all[index].0, self.all[index].1, length(index)][of] as i64;
            }
        }
        for (name, rows) in [("mel", mels), ("places", PLACES), ("own", 1)] {
            let values = batch.f32(name, &[n, rows, longest]);
            values.fill(0.0);
            for (sample, &index) in values.chunks_exact_mut((rows * longest).max(1)).zip(indices) {
                let (frames, own) = (&self.all[index].2, length(index));
                for (i, row) in sample.chunks_exact_mut(longest).enumerate() {
                    for (t, value) in row.iter_mut().take(own).enumerate() {
                        *value = match name {
                            "mel" => frames[i * own + t],
                            "places" => place(i, t, own),
                            _ => 1.0,
                        };
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::Sources;

    #[test]
    fn takes_are_held_out_and_padding_is_told() {
        let (rest, held) = split(Sources::generated(8000).train);
        assert_eq!((rest.all.len(), held.all.len()), (160, 160));
        let samples = rest.all.iter().map(|recording| recording.samples.as_slice());
        let features = Arc::new(LogMel::learned([8000, 24, 0], 1e-5, samples).unwrap());
        let voices = rest.voices();
        let [rest, held] = [&rest, &held].map(|of| Utterances::new(of, &voices, features.clone()).unwrap());
        let mut batch = Batch::default();
        batch.clear(2);
        rest.fill(0, &[3, 90], &mut batch).unwrap();
        let frames = batch.i64s("frames").unwrap().to_vec();
        let shape = batch.field("mel").unwrap().shape.clone();
        assert_eq!(shape[2] as i64, frames.iter().max().unwrap() + BEHIND as i64);
        let taper_nn::HostData::F32(own) = &batch.field("own").unwrap().data else { panic!() };
        assert_eq!(own.iter().sum::<f32>() as i64, frames.iter().sum::<i64>());
        let (word, voice, mel) = rest.sample(90);
        assert_eq!((word as i64, voice as i64), (batch.i64s("words").unwrap()[1], batch.i64s("voices").unwrap()[1]));
        assert_eq!(mel.len() as i64, 24 * frames[1]);
        // A recording is no way from itself, and some from another take.
        assert_eq!(rest.distance_of(&rest), Some(0.0));
        assert!(rest.distance_of(&held).unwrap() > 0.5);
    }
}
