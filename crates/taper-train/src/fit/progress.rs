//! Where a run is: all that has to be known to go on, beside tensors.

use super::Epoch;
use crate::EpochReport;
use crate::config::Monitored;
use serde::{Deserialize, Serialize};

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

    /// Epochs since the best one.
    pub(super) fn stale(&self) -> u64 {
        match (&self.last, &self.best) {
            (Some(last), Some(best)) => last.epoch - best.epoch,
            _ => 0,
        }
    }
}
