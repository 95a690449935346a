//! Strings of words: recordings of one voice, one behind the other, as log-mel frames of any length.

use super::{Change, LogMel, Recordings};
use std::sync::Arc;
use taper_audio::rms;
use taper_data::{Batch, DType, Dataset, FieldSpec};
use taper_nn::RandomKey;
use taper_train::Result;

/// The silence between two words, in seconds.
const PAUSE: [f64; 2] = [0.05, 0.25];
/// Padding of the field `words`.
pub(crate) const NO_WORD: i64 = -1;

/// Strings as samples with the fields `inputs` `[1, mels, T]` (f32, zeros behind a sample's own frames), `frames` (i64, its own
/// number of them), `words` `[L]` (i64, classes from 0, padded with −1).
pub(crate) struct Strings {
    recordings: Arc<Recordings>,
    /// The recordings of each voice.
    voices: Vec<Vec<usize>>,
    features: Arc<LogMel>,
    /// The number of strings.
    count: usize,
    /// The fewest and the most words.
    words: [usize; 2],
    /// Keys which words are joined.
    key: RandomKey,
    /// In training, other strings in each pass, changed.
    change: Option<Change>,
}

impl Strings {
    pub(crate) fn new(
        recordings: Arc<Recordings>,
        features: Arc<LogMel>,
        count: usize,
        words: [usize; 2],
        key: RandomKey,
        change: Option<Change>,
    ) -> Self {
        let of = |voice: &String| {
            let own = recordings.all.iter().enumerate().filter(|(_, recording)| recording.voice == *voice);
            own.map(|(i, _)| i).collect()
        };
        let voices = recordings.voices().iter().map(of).collect();
        Self { recordings, voices, features, count, words, key, change }
    }

    /// The voice of string `index`, its recordings, and a key for what else is random in it, in pass `epoch`.
    fn joined(&self, epoch: u64, index: usize) -> (Vec<usize>, RandomKey) {
        let epoch = if self.change.is_some() { epoch } else { 0 };
        let key = self.key.index(epoch).index(index as u64);
        let voice = &self.voices[index % self.voices.len().max(1)];
        let [least, most] = self.words;
        let count = least + key.below(0, most - least + 1);
        let pick = key.child("words");
        ((0..count).map(|i| voice[pick.below(i as u64, voice.len())]).collect(), key)
    }

    /// Who speaks string `index` of strings that stay the same.
    pub(crate) fn voice(&self, index: usize) -> &str {
        self.joined(0, index).0.first().map_or("", |&first| &self.recordings.all[first].voice)
    }

    /// The samples of string `index`, and its words.
    pub(crate) fn sound(&self, epoch: u64, index: usize) -> (Vec<f32>, Vec<i64>) {
        let (picked, key) = self.joined(epoch, index);
        let rate = f64::from(self.features.spec().rate);
        let (mut samples, pauses) = (Vec::new(), key.child("pauses"));
        for (i, &at) in picked.iter().enumerate() {
            let pause = PAUSE[0] + (PAUSE[1] - PAUSE[0]) * pauses.uniform(i as u64);
            samples.resize(samples.len() + (pause * rate) as usize, 0.0);
            samples.extend_from_slice(&self.recordings.all[at].samples);
        }
        samples.resize(samples.len() + (PAUSE[0] * rate) as usize, 0.0);
        let words = picked.iter().map(|&at| self.recordings.all[at].class as i64).collect();
        if let Some(change) = &self.change {
            let key = key.child("change");
            samples = change.faster(&samples, key);
            let level = rms(&samples);
            change.add_noise(&mut samples, level, key);
        }
        (samples, words)
    }

    /// The frames of string `index`, `[mels, T]`, and its words.
    fn frames(&self, epoch: u64, index: usize) -> Result<(Vec<f32>, Vec<i64>)> {
        let (samples, words) = self.sound(epoch, index);
        let mut frames = self.features.frames_of(&samples)?;
        if let Some(change) = &self.change {
            let mels = self.features.spec().mels;
            let columns = frames.len() / mels.max(1);
            let key = self.joined(epoch, index).1.child("mask");
            change.mask_filters(&mut frames, [mels, columns], key);
        }
        Ok((frames, words))
    }
}

impl Dataset for Strings {
    fn len(&self) -> usize {
        if self.voices.is_empty() { 0 } else { self.count }
    }

    fn fields(&self) -> Vec<FieldSpec> {
        let inputs = vec![Some(1), Some(self.features.spec().mels), None];
        vec![
            FieldSpec { name: "inputs".into(), dtype: DType::F32, shape: inputs },
            FieldSpec::new("frames", DType::I64, &[]),
            FieldSpec { name: "words".into(), dtype: DType::I64, shape: vec![None] },
        ]
    }

    fn fill(&self, epoch: u64, indices: &[usize], batch: &mut Batch) -> taper_data::Result<()> {
        let mels = self.features.spec().mels;
        let of = |index: &usize| self.frames(epoch, *index);
        let all = indices.iter().map(of).collect::<Result<Vec<_>>>();
        let all = all.map_err(|e| taper_data::Error::Argument(e.to_string()))?;
        let longest = all.iter().map(|(frames, _)| frames.len() / mels.max(1)).max().unwrap_or(0);
        let inputs = batch.f32("inputs", &[indices.len(), 1, mels, longest]);
        inputs.fill(0.0);
        for (rows, (frames, _)) in inputs.chunks_exact_mut((mels * longest).max(1)).zip(&all) {
            let own = (frames.len() / mels.max(1)).max(1);
            for (row, frames) in rows.chunks_exact_mut(longest.max(1)).zip(frames.chunks_exact(own)) {
                row[..own].copy_from_slice(frames);
            }
        }
        for (length, (frames, _)) in batch.i64("frames", &[indices.len()]).iter_mut().zip(&all) {
            *length = (frames.len() / mels.max(1)) as i64;
        }
        let most = all.iter().map(|(_, words)| words.len()).max().unwrap_or(0);
        let rows = batch.i64("words", &[indices.len(), most]);
        rows.fill(NO_WORD);
        for (row, (_, words)) in rows.chunks_exact_mut(most.max(1)).zip(&all) {
            row[..words.len()].copy_from_slice(words);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sources;
    use super::*;

    fn strings(change: Option<Change>) -> Strings {
        let train = Sources::generated(8000).train;
        let all = train.all.iter().map(|recording| recording.samples.as_slice());
        let features = LogMel::learned([8000, 16, 4000], 1e-3, all).unwrap();
        Strings::new(Arc::new(train), Arc::new(features), 20, [2, 5], RandomKey::new(3), change)
    }

    #[test]
    fn a_string_is_of_one_voice_and_padded_by_nothing() {
        let strings = strings(None);
        let mut batch = Batch::default();
        batch.clear(3);
        strings.fill(0, &[4, 5, 6], &mut batch).unwrap();
        let shape = batch.field("inputs").unwrap().shape.clone();
        let frames = batch.i64s("frames").unwrap().to_vec();
        assert_eq!(shape[3] as i64, *frames.iter().max().unwrap());
        for (i, index) in [4, 5, 6].into_iter().enumerate() {
            let (samples, words) = strings.sound(7, index);
            // Held-out strings are the same in each pass.
            assert_eq!((samples.clone(), words.clone()), strings.sound(0, index));
            assert!((2..=5).contains(&words.len()));
            assert_eq!(frames[i], (samples.len() / 80 + 1) as i64);
            let width = batch.i64s("words").unwrap().len() / 3;
            let row = &batch.i64s("words").unwrap()[i * width..(i + 1) * width];
            assert_eq!(row[..words.len()], words);
            assert!(row[words.len()..].iter().all(|word| *word == NO_WORD));
            let (picked, _) = strings.joined(0, index);
            assert!(picked.iter().all(|&at| strings.recordings.all[at].voice == strings.voice(index)));
        }
    }

    #[test]
    fn in_training_each_pass_has_other_strings() {
        let change = Change { speed: 0.1, noise: 0.0, masks: 0, noises: Arc::default(), key: RandomKey::new(5) };
        let strings = strings(Some(change));
        assert_ne!(strings.sound(0, 2).0, strings.sound(1, 2).0);
        assert_eq!(strings.sound(1, 2), strings.sound(1, 2));
    }
}
