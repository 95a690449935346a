//! `[data]`: the dataset, its splits, augmentation and loading.

use super::Config;
use taper_config::{Named, table};
use taper_data::Augment;

table! {
    /// `[data]`: the dataset, its splits, augmentation and loading.
    pub struct DataConfig {
        /// The dataset.
        name: String = "digits".into(), any("the name of a dataset");
        /// Train on the first so many samples only; 0 for all.
        train_samples: usize = 0, at_least(0);
        /// Test on the first so many samples only; 0 for all.
        test_samples: usize = 0, at_least(0);
        /// Fraction of training samples held out for validation.
        ///
        /// The samples are stratified by class. The model is evaluated on this split after each epoch; early stopping,
        /// the best checkpoint and `tune` go by it.
        validation: f64 = 0.0, fraction();
        /// Augmentations of the training images, in order.
        ///
        /// Normalisation is applied in evaluation too.
        augment: Vec<Augment> = Vec::new(), tables("a list such as [{kind = \"flip\"}]", sound);
        /// Threads that prepare batches; results do not depend on it.
        ///
        /// With 0 each batch is prepared when it is asked for.
        workers: usize = 1, integer(0..=64);
        /// Prepared batches that may wait for the training loop.
        ahead: usize = 4, integer(1..=1024);
        ..
        /// The keys of the dataset itself.
        source
    }
}

/// What is wrong with `augment`.
fn sound(augment: &Augment) -> Result<(), String> {
    augment.check().map_err(|error| {
        let text = error.to_string();
        text.strip_prefix("augment.").unwrap_or(&text).into()
    })
}

impl Config {
    /// The augmentations that evaluation applies as well: normalisation.
    pub fn normalization(&self) -> Vec<Augment> {
        self.data.augment.iter().filter(|augment| matches!(augment, Augment::Normalize(_))).cloned().collect()
    }
}

impl DataConfig {
    /// The dataset's name with its own keys, which it parses.
    pub fn named(&self) -> Named {
        Named { name: self.name.clone(), rest: (*self.source).clone() }
    }
}
