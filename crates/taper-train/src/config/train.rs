//! `[train]`: the loop. `[regularization]`: what keeps it from learning by heart.

use super::{at_least_one, is_ordinary, within};
use crate::{Result, Views};
use serde::{Deserialize, Serialize};

/// The loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Passes over the training split.
    pub epochs: u64,
    /// Samples a batch.
    pub batch_size: usize,
    /// Batches a step: it is made as if they were one.
    pub accumulate: u64,
    /// What first weights, the shuffle, augmentation and dropout are drawn from.
    pub seed: u64,
    /// Stop after so many steps; 0 for no such limit.
    pub max_steps: u64,
    /// Whether each epoch goes through the data in a new order.
    pub shuffle: bool,
    /// Whether the last batch of an epoch is left out when it is smaller than the others.
    pub drop_last: bool,
    /// `f32` or `f64`: of weights, inputs and everything between.
    pub dtype: String,
    /// `mean` or `sum`: how the losses of a batch make one.
    pub reduction: Reduction,
    /// Losses are read from the device, checked and shown every so many steps (and at the end of an epoch), and one is
    /// written to `metrics.jsonl`.
    pub log_every: u64,
    /// Samples at a time when measuring.
    pub eval_batch_size: usize,
    /// How often each picture is looked at when measuring at the end of the run.
    pub views: Views,
    /// A `.safetensors` file to begin with, or empty.
    pub init: String,
    /// Whether that file may fit in part: what it lacks, or has in another shape, begins anew, and is told.
    pub init_partial: bool,
    /// The decay of an exponential moving average of the weights, which is what is measured and saved then; 0 for none. It
    /// warms up: after t steps it is at most (1 + t) / (10 + t).
    pub ema: f64,
}

/// How the losses of a batch make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reduction {
    /// Their mean.
    Mean,
    /// Their sum.
    Sum,
}

/// What keeps a model from learning by heart, beside weight decay (`[optimizer]`) and augmentation (`[data]`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegularizationConfig {
    /// ε: the share of the target that goes to all classes alike.
    pub label_smoothing: f64,
    /// Mixup's α; 0 for none. With CutMix as well, each batch has one of them.
    pub mixup: f64,
    /// CutMix's α; 0 for none.
    pub cutmix: f64,
    /// Gradients are scaled down to this norm, of all together; 0 for no limit.
    pub clip_norm: f64,
    /// Each gradient's elements are held within ± this; 0 for no limit.
    pub clip_value: f64,
    /// Training ends when the validation split has got no better for so many epochs, and the best weights are put back; 0 for
    /// never.
    pub patience: u64,
    /// What counts as better: by more than this.
    pub min_delta: f64,
}

impl Default for TrainConfig {
    /// One epoch of batches of 64, shuffled, in f32, from seed 0, read every ten steps.
    fn default() -> Self {
        Self {
            epochs: 1,
            batch_size: 64,
            accumulate: 1,
            seed: 0,
            max_steps: 0,
            shuffle: true,
            drop_last: false,
            dtype: "f32".into(),
            reduction: Reduction::Mean,
            log_every: 10,
            eval_batch_size: 250,
            views: Views::One,
            init: String::new(),
            init_partial: false,
            ema: 0.0,
        }
    }
}

impl Default for RegularizationConfig {
    /// None.
    fn default() -> Self {
        Self {
            label_smoothing: 0.0,
            mixup: 0.0,
            cutmix: 0.0,
            clip_norm: 0.0,
            clip_value: 0.0,
            patience: 0,
            min_delta: 0.0,
        }
    }
}

impl TrainConfig {
    pub(super) fn check(&self) -> Result<()> {
        at_least_one("train.epochs", self.epochs)?;
        at_least_one("train.batch_size", self.batch_size as u64)?;
        at_least_one("train.accumulate", self.accumulate)?;
        at_least_one("train.log_every", self.log_every)?;
        at_least_one("train.eval_batch_size", self.eval_batch_size as u64)?;
        within("train.ema", self.ema, (0.0..1.0).contains(&self.ema))?;
        within("train.seed", self.seed, i64::try_from(self.seed).is_ok())
    }
}

impl RegularizationConfig {
    pub(super) fn check(&self) -> Result<()> {
        let smoothing = self.label_smoothing;
        within("regularization.label_smoothing", smoothing, (0.0..=1.0).contains(&smoothing))?;
        for (name, value) in [
            ("regularization.mixup", self.mixup),
            ("regularization.cutmix", self.cutmix),
            ("regularization.clip_norm", self.clip_norm),
            ("regularization.clip_value", self.clip_value),
            ("regularization.min_delta", self.min_delta),
        ] {
            within(name, value, value == 0.0 || (value > 0.0 && is_ordinary(value)))?;
        }
        Ok(())
    }
}
