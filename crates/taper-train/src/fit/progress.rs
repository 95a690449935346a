//! The progress of a run: the part of a checkpoint that is not tensors.

use super::Epoch;
use crate::{EpochReport, Metric};
use serde::{Deserialize, Serialize};

/// An upper bound on the samples of a run, to detect damaged files.
pub(super) const MOST: usize = 1 << 52;

/// The progress of a run.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Steps made.
    pub(crate) step: u64,
    /// The current epoch: the last one until the next begins.
    pub(crate) epoch: Epoch,
    /// Whether the current epoch was evaluated, and so has ended.
    pub(crate) measured: bool,
    /// The last step after which the validation split was measured within an epoch; 0 if none was.
    pub(crate) within: u64,
    /// The report of the last epoch that has ended.
    pub(crate) last: Option<EpochReport>,
    /// The report of the best epoch so far.
    pub(crate) best: Option<EpochReport>,
    /// Whether a hook has ended the run in the current epoch, which still has to be evaluated.
    pub(crate) ending: bool,
    /// Whether training has ended: all steps are made, or early stopping or a hook ended it.
    pub(crate) done: bool,
    pub(crate) times: Times,
}

/// How long the parts of a run took, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// Training steps, waiting for batches included.
    pub training: f64,
    /// Waiting for batches.
    pub waiting: f64,
    /// Evaluation.
    pub measuring: f64,
    /// Writing checkpoints and weights.
    pub saving: f64,
}

impl Progress {
    /// Records an epoch that has ended, and returns whether it is the best so far by the metric `monitor`, by more than
    /// `min_delta`.
    pub(super) fn ended(&mut self, report: &EpochReport, monitor: &Metric, min_delta: f64) -> bool {
        self.measured = true;
        self.last = Some(report.clone());
        let value = |report: &EpochReport| report.validation.as_ref()?.get(&monitor.name);
        let Some(now) = value(report) else { return false };
        let best = self.best.as_ref().and_then(value);
        let better = best.is_none_or(|best| monitor.is_better(now, best, min_delta));
        if better {
            self.best = Some(report.clone());
        }
        better
    }

    /// Errs when this cannot be the progress of a run of `steps` steps, `per_epoch` per epoch.
    pub(crate) fn check(&self, steps: u64, per_epoch: u64) -> Result<(), String> {
        let Self { step, epoch, within, last, best, times, .. } = self;
        if steps == 0 || per_epoch == 0 || *step > steps || within > step {
            return Err(format!("it says that {step} steps of {steps} were made, {per_epoch} an epoch"));
        }
        epoch.check(*step, per_epoch)?;
        let reports = last.iter().chain(best);
        let sound = |report: &EpochReport| {
            let found = report.validation.as_ref();
            report.epoch <= epoch.number + 1
                && report.steps <= *step
                && found.is_none_or(|found| found.loss().is_finite() && (1..=MOST).contains(&found.samples))
        };
        let ordered = match (last, best) {
            (Some(last), Some(best)) => best.epoch <= last.epoch,
            (None, Some(_)) => false,
            (_, None) => true,
        };
        let Times { training, waiting, measuring, saving } = *times;
        let lasted = [training, waiting, measuring, saving].iter().all(|seconds| *seconds >= 0.0);
        match ordered && lasted && reports.into_iter().all(sound) {
            true => Ok(()),
            false => Err("what it says of the last and the best epoch, or of times, is damaged".into()),
        }
    }

    /// Epochs since the best one.
    pub(super) fn stale(&self) -> u64 {
        match (&self.last, &self.best) {
            (Some(last), Some(best)) => last.epoch.saturating_sub(best.epoch),
            _ => 0,
        }
    }
}
