//! `[train]`: the training loop. `[regularization]`: regularisation against overfitting.

use super::{at_least_one, is_ordinary, within};
use crate::{Result, Views};
use serde::{Deserialize, Serialize};

/// `[train]`: the training loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainConfig {
    /// Passes over the training split.
    pub epochs: u64,
    /// Samples per batch.
    pub batch_size: usize,
    /// Gradient accumulation: batches per step. The step is that of one large batch.
    pub accumulate: u64,
    /// The seed of weight initialisation, shuffling, augmentation and dropout.
    pub seed: u64,
    /// Stop after so many steps; 0 for no limit.
    pub max_steps: u64,
    /// Whether the samples are shuffled anew for each epoch.
    pub shuffle: bool,
    /// Whether the last batch of an epoch is left out when it is smaller than the others.
    pub drop_last: bool,
    /// The dtype of weights, inputs and all that is computed from them: `f32` or `f64`.
    pub dtype: String,
    /// How the losses of a batch are reduced to one: `mean` or `sum`.
    pub reduction: Reduction,
    /// How often, in steps, losses are read from the device, checked and reported, and one is written to
    /// `metrics.jsonl`. They are read at the end of an epoch too.
    pub log_every: u64,
    /// Samples per batch in evaluation.
    pub eval_batch_size: usize,
    /// Test-time augmentation: the views of each image over which the logits are averaged, in the final evaluation.
    pub views: Views,
    /// A `.safetensors` file of initial weights (fine-tuning), or empty.
    pub init: String,
    /// Whether that file may match in part: parameters that it lacks, or has in another shape, keep their random
    /// initialisation, and the run reports them.
    pub init_partial: bool,
    /// The decay rate of an exponential moving average of the weights (EMA), which then is what is evaluated and saved;
    /// 0 for none. It warms up: after t steps it is at most (1 + t) / (10 + t).
    pub ema: f64,
}

/// How the losses of a batch are reduced to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reduction {
    /// Their mean.
    Mean,
    /// Their sum.
    Sum,
}

/// `[regularization]`: regularisation against overfitting, beside weight decay (`[optimizer]`) and augmentation
/// (`[data]`).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegularizationConfig {
    /// Label smoothing's ε: the part of the target that is spread evenly over all classes.
    pub label_smoothing: f64,
    /// α of mixup; 0 for none. With CutMix as well, each batch gets one of the two.
    pub mixup: f64,
    /// α of CutMix; 0 for none.
    pub cutmix: f64,
    /// Gradient clipping by norm: the largest 2-norm of all gradients together; 0 for no limit.
    pub clip_norm: f64,
    /// Gradient clipping by value: the largest magnitude of a gradient's element; 0 for no limit.
    pub clip_value: f64,
    /// Early stopping: training ends after so many epochs without an improvement on the validation split, and the best
    /// weights are restored. 0 for no early stopping.
    pub patience: u64,
    /// The improvement that counts, for the best epoch and early stopping: by more than this.
    pub min_delta: f64,
}

impl Default for TrainConfig {
    /// One epoch of batches of 64, shuffled, in f32, from seed 0; losses are read every ten steps.
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
    /// No regularisation.
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
