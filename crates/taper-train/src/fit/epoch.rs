//! The running totals of an epoch: samples, metrics, time.

use super::progress::MOST;
use crate::{Evaluation, Metric, StepReport};
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
    /// The samples among them that count.
    counted: usize,
    /// Sum and count of each metric, the loss first.
    sums: Vec<[f64; 2]>,
    /// Seconds of training steps.
    seconds: f64,
    /// Seconds in which steps waited for their batches.
    pub(super) idle: f64,
    /// Wall time in seconds that the epoch took before the run was last resumed.
    pub(super) before: f64,
}

impl Epoch {
    /// Epoch `number` (from 0) of `of`, with `steps` steps, of a task with so many metrics.
    pub(super) fn new(number: u64, of: u64, steps: u64, metrics: usize) -> Self {
        Self { number, of, steps, sums: vec![[0.0; 2]; metrics], ..Self::default() }
    }

    /// Errs when these cannot be the totals of an epoch of `per_epoch` steps in a run that has made `step` steps.
    pub(super) fn check(&self, step: u64, per_epoch: u64) -> Result<(), String> {
        let Self { number, steps, made, added, samples, counted, ref sums, seconds, idle, before, .. } = *self;
        let before_it = number.checked_mul(per_epoch);
        if steps > per_epoch || made > steps || before_it.and_then(|before| before.checked_add(made)) != Some(step) {
            return Err(format!(
                "it says that {step} steps were made, of them {made} in epoch {}, {per_epoch} an epoch",
                number.saturating_add(1)
            ));
        }
        let sound = sums.iter().flatten().all(|sum| sum.is_finite()) && counted <= samples;
        let lasted = [seconds, idle, before].iter().all(|seconds| *seconds >= 0.0 && seconds.is_finite());
        match added <= made && samples <= MOST && sound && lasted {
            true => Ok(()),
            false => Err("the sums of its epoch are damaged".into()),
        }
    }

    /// Adds a step that was read: its number of `samples`, of which `counted` count; sum and count of each metric (none
    /// if no sample counts); and how long the step took.
    pub(super) fn add(&mut self, [samples, counted]: [usize; 2], sums: &[[f64; 2]], seconds: f64) {
        self.added += 1;
        self.samples += samples;
        self.counted += counted;
        for (total, found) in self.sums.iter_mut().zip(sums) {
            // A metric may be infinite in one step; it says so there.
            if found.iter().all(|sum| sum.is_finite()) {
                *total = [total[0] + found[0], total[1] + found[1]];
            }
        }
        self.seconds += seconds;
    }

    /// The metrics so far; the loss is NaN before any sample counts.
    pub(super) fn train(&self, metrics: &[Metric]) -> Evaluation {
        Evaluation::of(self.counted, metrics, &self.sums)
    }

    /// Whether samples came, and none of them counted.
    pub(super) fn nothing_counted(&self) -> Option<usize> {
        (self.samples > 0 && self.counted == 0).then_some(self.samples)
    }

    pub(super) fn seconds(&self) -> f64 {
        self.seconds
    }

    pub(super) fn samples_per_s(&self) -> f64 {
        // A coarse clock may measure no time at all: do not divide by zero.
        self.samples as f64 / self.seconds.max(1e-9)
    }

    /// The report of step `step` of `steps`, the last that was added, whose loss is `loss`, with the metrics `train` so
    /// far; `made` steps have been made.
    pub(super) fn report<'a>(&self, [step, steps, made]: [u64; 3], loss: f64, train: &'a Evaluation) -> StepReport<'a> {
        StepReport {
            epoch: self.number + 1,
            epochs: self.of,
            step,
            steps,
            made,
            step_in_epoch: self.added,
            steps_in_epoch: self.steps,
            loss,
            train,
            samples_per_s: self.samples_per_s(),
        }
    }
}
