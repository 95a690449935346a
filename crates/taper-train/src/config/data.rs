//! `[data]`: what is learned from, and how it reaches a step.

use super::{Config, within};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use taper_data::Augment;

/// What is learned from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// The dataset's name in `taper-data`.
    pub name: String,
    /// Only the first so many samples of the training split; 0 for all.
    pub train_samples: usize,
    /// Only the first so many samples of the test split; 0 for all.
    pub test_samples: usize,
    /// The share of the training samples that is held out, stratified by class, for validation: what is measured after each
    /// epoch, and what early stopping, the best checkpoint and `tune` look at.
    pub validation: f64,
    /// How pictures are changed on their way to a step, in order; normalisation is done when measuring too.
    pub augment: Vec<Augment>,
    /// Threads that make batches ahead of the step; 0 for none, each batch is then made when it is asked for. The result
    /// does not depend on it.
    pub workers: usize,
    /// How many batches may wait for their step.
    pub ahead: usize,
}

impl Default for DataConfig {
    /// Everything to learn from, nothing held out or changed; one thread, four batches ahead.
    fn default() -> Self {
        Self {
            name: "digits".into(),
            train_samples: 0,
            test_samples: 0,
            validation: 0.0,
            augment: Vec::new(),
            workers: 1,
            ahead: 4,
        }
    }
}

impl DataConfig {
    pub(super) fn check(&self) -> Result<()> {
        within("data.validation", self.validation, (0.0..1.0).contains(&self.validation))?;
        within("data.workers", self.workers, self.workers <= 64)?;
        within("data.ahead", self.ahead, (1..=1024).contains(&self.ahead))?;
        self.augment.iter().try_for_each(Augment::check).map_err(|error| {
            let text = error.to_string();
            Error::Usage(format!("data.augment: {}", text.strip_prefix("augment.").unwrap_or(&text)))
        })
    }
}

impl Config {
    /// The augmentations that measuring needs as well: normalisation.
    pub fn normalization(&self) -> Vec<Augment> {
        self.data.augment.iter().filter(|augment| matches!(augment, Augment::Normalize(_))).cloned().collect()
    }
}
