//! The recordings that an experiment is given, with what is recorded of them in its run.

use super::{Recordings, Sources};
use crate::experiments::{generated_record, own_record};
use std::path::Path;
use taper_nn::RandomKey;
use taper_train::{DatasetRecord, Reporter, Result};

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

/// So many of the recordings, drawn by `seed`; all for 0.
pub(crate) fn drawn(recordings: Recordings, count: usize, seed: u64) -> Recordings {
    if count == 0 || count >= recordings.all.len() {
        return recordings;
    }
    let order = RandomKey::new(seed).child("first").permutation(recordings.all.len());
    Recordings { all: order.iter().take(count).map(|&i| recordings.all[i].clone()).collect() }
}
