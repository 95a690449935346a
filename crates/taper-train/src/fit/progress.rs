//! Where a run is: all that has to be known to go on, beside tensors.

use super::Epoch;
use crate::EpochReport;
use crate::config::Monitored;
use serde::{Deserialize, Serialize};

/// No run has seen more samples.
pub(super) const MOST: usize = 1 << 52;

/// Where a run is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Steps made.
    pub(crate) step: u64,
    /// The epoch under way; that which has ended, when all its steps are made and it was measured.
    pub(crate) epoch: Epoch,
    /// Whether the epoch under way was measured, and so has ended.
    pub(crate) measured: bool,
    /// The last epoch that has ended.
    pub(crate) last: Option<EpochReport>,
    /// The best epoch so far.
    pub(crate) best: Option<EpochReport>,
    /// Whether a hook has ended the run in the epoch under way, which is still to be measured.
    pub(crate) ending: bool,
    /// Whether no more steps are to be made: all were, or early stopping said so.
    pub(crate) done: bool,
    pub(crate) times: Times,
}

/// Where the time of a run went, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// Steps, waiting for batches included.
    pub training: f64,
    /// Waiting for batches.
    pub waiting: f64,
    /// Measuring.
    pub measuring: f64,
    /// Writing checkpoints and weights.
    pub saving: f64,
}

impl Progress {
    /// Takes note of an epoch that has ended, and says whether it is the best so far, by more than `min_delta`.
    pub(super) fn ended(&mut self, report: EpochReport, monitor: Monitored, min_delta: f64) -> bool {
        self.measured = true;
        self.last = Some(report);
        let value = |report: &EpochReport| {
            let validation = report.validation?;
            Some(match monitor {
                Monitored::Accuracy => validation.accuracy(),
                Monitored::Loss => -validation.loss,
            })
        };
        let Some(now) = value(&report) else { return false };
        let better = self.best.as_ref().and_then(value).is_none_or(|best| now > best + min_delta);
        if better {
            self.best = Some(report);
        }
        better
    }

    /// Errs when this is no place in a run of `steps` steps, `per_epoch` of them an epoch.
    pub(crate) fn check(&self, steps: u64, per_epoch: u64) -> Result<(), String> {
        let Self { step, epoch, last, best, times, .. } = self;
        if steps == 0 || per_epoch == 0 || *step > steps {
            return Err(format!("it says that {step} steps of {steps} were made, {per_epoch} an epoch"));
        }
        epoch.check(*step, per_epoch)?;
        let reports = last.iter().chain(best);
        let sound = |report: &EpochReport| {
            let found = report.validation;
            report.epoch <= epoch.number + 1
                && report.steps <= *step
                && found.is_none_or(|found| found.loss.is_finite() && (1..=MOST).contains(&found.samples))
                && found.is_none_or(|found| found.correct <= found.samples)
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
