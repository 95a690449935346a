//! Recordings of single words as log-mel frames, changed each time in training.

use super::features::window;
use super::{Change, LogMel, Recordings};
use std::sync::Arc;
use taper_data::{Batch, DType, Dataset, FieldSpec};
use taper_train::Result;

/// Recordings as samples with the fields `inputs` `[1, mels, frames]` (f32) and `labels` (i64).
pub(crate) struct Words {
    recordings: Arc<Recordings>,
    features: Arc<LogMel>,
    /// Samples of the window that is seen.
    length: usize,
    change: Option<Change>,
}

impl Words {
    pub(crate) fn new(
        recordings: Arc<Recordings>,
        features: Arc<LogMel>,
        length: usize,
        change: Option<Change>,
    ) -> Self {
        Self { recordings, features, length, change }
    }

    /// `[1, mels, frames]` of every sample.
    pub(crate) fn shape(&self) -> [usize; 3] {
        [1, self.features.spec().mels, self.features.frames(self.length)]
    }

    /// The frames of recording `index` in pass `epoch`.
    fn frames(&self, epoch: u64, index: usize) -> Result<Vec<f32>> {
        let samples = &self.recordings.all[index].samples;
        match &self.change {
            None => self.features.frames_of(&window(samples, self.length)),
            Some(change) => {
                let key = change.key.index(epoch).index(index as u64);
                let mut frames = self.features.frames_of(&change.in_window(samples, self.length, key))?;
                let [_, mels, columns] = self.shape();
                change.mask(&mut frames, [mels, columns], key.child("mask"));
                Ok(frames)
            }
        }
    }
}

impl Dataset for Words {
    fn len(&self) -> usize {
        self.recordings.all.len()
    }

    fn fields(&self) -> Vec<FieldSpec> {
        vec![FieldSpec::new("inputs", DType::F32, &self.shape()), FieldSpec::new("labels", DType::I64, &[])]
    }

    fn fill(&self, epoch: u64, indices: &[usize], batch: &mut Batch) -> taper_data::Result<()> {
        let [_, mels, columns] = self.shape();
        let inputs = batch.f32("inputs", &[indices.len(), 1, mels, columns]);
        for (row, &index) in inputs.chunks_exact_mut((mels * columns).max(1)).zip(indices) {
            let frames = self.frames(epoch, index).map_err(|e| taper_data::Error::Argument(e.to_string()))?;
            row.copy_from_slice(&frames);
        }
        for (label, &index) in batch.i64("labels", &[indices.len()]).iter_mut().zip(indices) {
            *label = self.recordings.all[index].class as i64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sources;
    use super::*;
    use taper_audio::pink_noise;
    use taper_nn::RandomKey;

    fn words(change: Option<Change>) -> Words {
        let train = Sources::generated(8000).train;
        let all = train.all.iter().map(|recording| recording.samples.as_slice());
        let features = LogMel::learned([8000, 40, 8000], 1e-3, all).unwrap();
        Words::new(Arc::new(train), Arc::new(features), 8000, change)
    }

    #[test]
    fn changes_depend_on_pass_and_sample_alone() {
        let noises = Arc::new(pink_noise(4096, RandomKey::new(1)));
        let change = Change { speed: 0.2, noise: 1.0, masks: 1, noises, key: RandomKey::new(5) };
        let words = words(Some(change));
        let of = |epoch, indices: &[usize]| {
            let mut batch = Batch::default();
            batch.clear(indices.len());
            words.fill(epoch, indices, &mut batch).unwrap();
            match &batch.field("inputs").unwrap().data {
                taper_nn::HostData::F32(values) => values.clone(),
                other => panic!("{}", other.dtype()),
            }
        };
        let size = 40 * 101;
        let both = of(0, &[3, 7]);
        assert_eq!(both[size..], of(0, &[7])[..]);
        assert_ne!(of(0, &[7]), of(1, &[7]));
        assert!(both.iter().all(|x| x.is_finite()));
    }
}
