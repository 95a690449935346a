//! `[data]`: the dataset, its splits, augmentation and loading.

use super::{Config, within};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use taper_data::Augment;

/// `[data]`: the dataset, its splits, augmentation and loading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataConfig {
    /// The dataset's name in `taper-data`.
    pub name: String,
    /// Use only the first so many samples of the training split; 0 for all.
    pub train_samples: usize,
    /// Use only the first so many samples of the test split; 0 for all.
    pub test_samples: usize,
    /// The fraction of the training samples that is held out for validation, stratified by class. The model is
    /// evaluated on this split after each epoch; early stopping, the best checkpoint and `tune` go by it.
    pub validation: f64,
    /// Augmentations of the training images, in this order. Normalisation is applied in evaluation too.
    pub augment: Vec<Augment>,
    /// Threads that prepare batches ahead of the training loop; with 0 each batch is prepared when it is asked for. The
    /// results do not depend on it.
    pub workers: usize,
    /// How many prepared batches may wait for the training loop.
    pub ahead: usize,
}

impl Default for DataConfig {
    /// All samples, no validation split and no augmentation; one thread, four batches ahead.
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
    /// The augmentations that evaluation applies as well: normalisation.
    pub fn normalization(&self) -> Vec<Augment> {
        self.data.augment.iter().filter(|augment| matches!(augment, Augment::Normalize(_))).cloned().collect()
    }
}
