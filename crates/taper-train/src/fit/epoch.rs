//! What the steps of an epoch add up to.

use crate::StepReport;
use serde::{Deserialize, Serialize};

/// The epoch under way, as far as its steps were read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Epoch {
    /// From 0.
    pub(super) number: u64,
    pub(super) of: u64,
    /// Steps to make in it.
    pub(super) steps: u64,
    /// Steps made in it, whether they were read or not.
    pub(super) made: u64,
    added: u64,
    samples: usize,
    /// Those of them without a label, which count for nothing in loss and accuracy.
    #[serde(default)]
    unlabelled: usize,
    loss: f64,
    correct: usize,
    /// Seconds of training.
    seconds: f64,
    /// Seconds in which a step waited for its batch.
    pub(super) idle: f64,
    /// Seconds in all, before the run was last resumed.
    pub(super) before: f64,
}

impl Epoch {
    /// Epoch `number` (from 0) of `of`, with so many steps to make.
    pub(super) fn new(number: u64, of: u64, steps: u64) -> Self {
        Self { number, of, steps, ..Self::default() }
    }

    /// A step that was read: the mean loss of the `counted` of its `samples` that count, of which `correct` were
    /// classified rightly, and how long it took.
    pub(super) fn add(&mut self, [samples, counted]: [usize; 2], loss: f64, correct: usize, seconds: f64) {
        self.added += 1;
        self.samples += samples;
        self.unlabelled += samples - counted;
        self.loss += loss * counted as f64;
        self.correct += correct;
        self.seconds += seconds;
    }

    fn counted(&self) -> f64 {
        self.samples.saturating_sub(self.unlabelled) as f64
    }

    /// NaN before any sample with a label.
    pub(super) fn mean_loss(&self) -> f64 {
        self.loss / self.counted()
    }

    /// NaN before any sample with a label.
    pub(super) fn accuracy(&self) -> f64 {
        self.correct as f64 / self.counted()
    }

    pub(super) fn seconds(&self) -> f64 {
        self.seconds
    }

    pub(super) fn images_per_s(&self) -> f64 {
        // A clock too coarse to see any time pass must not make an infinity.
        self.samples as f64 / self.seconds.max(1e-9)
    }

    /// How training stands after `step` of `steps`, the last that was added, with this loss; `made` are made.
    pub(super) fn report(&self, step: u64, steps: u64, made: u64, loss: f64) -> StepReport {
        StepReport {
            epoch: self.number + 1,
            epochs: self.of,
            step,
            steps,
            made,
            step_in_epoch: self.added,
            steps_in_epoch: self.steps,
            loss,
            mean_loss: self.mean_loss(),
            accuracy: self.accuracy(),
            images_per_s: self.images_per_s(),
        }
    }
}
