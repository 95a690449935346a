//! The recordings that an experiment is given, with what is recorded of them in its run.

use super::{Recordings, Sources};
use crate::experiments::{generated_record, own_record};
use std::path::Path;
use taper_nn::RandomKey;
use taper_train::{Config, DatasetRecord, Reporter, Result};

/// The recordings of words in the folder `dir`, or generated ones where it is empty; see [`Sources::open`].
pub(crate) fn sources(
    dir: &str,
    rate: u32,
    test: f64,
    seed: u64,
    reporter: &mut dyn Reporter,
) -> Result<(Sources, DatasetRecord)> {
    if dir.is_empty() {
        reporter.note(
            "no recordings were named: learning from generated sounds, ten pairs of vowels by a source and filters, NOT \
             speech; --data-dir DIR takes yours",
        );
        let sources = Sources::generated(rate);
        let record = generated_record("generated vowels, not speech", &sources.checksum);
        return Ok((sources, record));
    }
    let sources = Sources::open(Path::new(dir), rate, test, seed)?;
    let (words, heard, new) = (sources.classes.len(), sources.train.voices().len(), sources.test.voices().len());
    let record = own_record(dir, &format!("{words} words, {heard} + {new} voices"), sources.checksum.clone());
    Ok((sources, record))
}

/// The recordings of a run by split, of the same words.
pub(crate) struct Heard {
    pub(crate) train: Recordings,
    pub(crate) validation: Option<Recordings>,
    pub(crate) test: Recordings,
    /// The words, by class.
    pub(crate) classes: Vec<String>,
}

impl Heard {
    /// Of `sources` as many as `config` asks for, whose numbers are written into `record`; validated on are voices of those to learn
    /// from.
    ///
    /// # Errors
    /// Too few voices to leave some to learn from and some to validate on.
    pub(crate) fn new(sources: Sources, config: &Config, record: &mut DatasetRecord) -> Result<Self> {
        let (data, seed) = (&config.data, config.train.seed);
        let (train, validation) = match data.validation > 0.0 {
            true => sources.train.split_off(data.validation, seed, "data.validation").map(|(a, b)| (a, Some(b)))?,
            false => (sources.train, None),
        };
        let train = drawn(train, data.train_samples, seed);
        let test = drawn(sources.test, data.test_samples, seed);
        (record.train, record.test) = (train.all.len(), test.all.len());
        record.validation = validation.as_ref().map_or(0, |held| held.all.len());
        Ok(Self { train, validation, test, classes: sources.classes })
    }
}

/// So many of the recordings, drawn by `seed`; all for 0.
pub(crate) fn drawn(recordings: Recordings, count: usize, seed: u64) -> Recordings {
    if count == 0 || count >= recordings.all.len() {
        return recordings;
    }
    let order = RandomKey::new(seed).child("first").permutation(recordings.all.len());
    Recordings { all: order.iter().take(count).map(|&i| recordings.all[i].clone()).collect() }
}
