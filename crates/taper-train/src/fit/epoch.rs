//! The running totals of an epoch: samples, loss, accuracy, time.

use super::progress::MOST;
use crate::StepReport;
use serde::{Deserialize, Serialize};

/// The totals of the current epoch, over the steps that were read from the device.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Epoch {
    /// The epoch, counted from 0.
    pub(super) number: u64,
    pub(super) of: u64,
    /// Steps of this epoch.
    pub(super) steps: u64,
    /// Steps made in it, whether they were read or not.
    pub(super) made: u64,
    added: u64,
    samples: usize,
    /// The samples among them without a label, which count in neither loss nor accuracy.
    #[serde(default)]
    unlabelled: usize,
    loss: f64,
    correct: usize,
    /// Seconds of training steps.
    seconds: f64,
    /// Seconds in which steps waited for their batches.
    pub(super) idle: f64,
    /// Wall time in seconds that the epoch took before the run was last resumed.
    pub(super) before: f64,
}

impl Epoch {
    /// Epoch `number` (from 0) of `of`, with `steps` steps.
    pub(super) fn new(number: u64, of: u64, steps: u64) -> Self {
        Self { number, of, steps, ..Self::default() }
    }

    /// Errs when these cannot be the totals of an epoch of `per_epoch` steps in a run that has made `step` steps.
    pub(super) fn check(&self, step: u64, per_epoch: u64) -> Result<(), String> {
        let Self { number, steps, made, added, samples, unlabelled, loss, correct, seconds, idle, before, .. } = *self;
        let before_it = number.checked_mul(per_epoch);
        if steps > per_epoch || made > steps || before_it.and_then(|before| before.checked_add(made)) != Some(step) {
            return Err(format!(
                "it says that {step} steps were made, of them {made} in epoch {}, {per_epoch} an epoch",
                number.saturating_add(1)
            ));
        }
        let counted = unlabelled.checked_add(correct).is_some_and(|some| some <= samples);
        let lasted = [seconds, idle, before].iter().all(|seconds| *seconds >= 0.0 && seconds.is_finite());
        match added <= made && samples <= MOST && counted && loss.is_finite() && lasted {
            true => Ok(()),
            false => Err("the sums of its epoch are damaged".into()),
        }
    }

    /// Adds a step that was read: its number of `samples`, of which `counted` have a label; the mean `loss` of these,
    /// and how many of them were classified correctly; and how long the step took.
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

    /// The mean loss; NaN before any sample with a label.
    pub(super) fn mean_loss(&self) -> f64 {
        self.loss / self.counted()
    }

    /// The accuracy; NaN before any sample with a label.
    pub(super) fn accuracy(&self) -> f64 {
        self.correct as f64 / self.counted()
    }

    pub(super) fn seconds(&self) -> f64 {
        self.seconds
    }

    pub(super) fn images_per_s(&self) -> f64 {
        // A coarse clock may measure no time at all: do not divide by zero.
        self.samples as f64 / self.seconds.max(1e-9)
    }

    /// The report of step `step` of `steps`, the last that was added, whose loss is `loss`; `made` steps have been
    /// made.
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
