//! Decay when the validation loss stops improving.

use super::{Schedule, ScheduleTable, Span, decay, share};
use taper_config::table;
use taper_tensor::{Error, Result};

/// The schedule's factor, 1 at first, is multiplied by `factor`, but never falls below `min`, when more than `patience`
/// validation losses in a row were no improvement on the best: loss < best − threshold · |best|.
///
/// For losses of at least 0 this is PyTorch's `ReduceLROnPlateau` (mode min, relative threshold, no cooldown, eps 0).
/// PyTorch compares with best · (1 − threshold), which is above a negative best: every loss as good as the best would
/// count as an improvement, and the rate would never fall.
///
/// A loss that is not finite is no improvement.
#[derive(Debug, Clone, PartialEq)]
pub struct Plateau {
    factor: f64,
    patience: u64,
    threshold: f64,
    min: f64,
    current: f64,
    /// Losses in a row that were no improvement.
    bad: u64,
    best: Option<f64>,
}

const NAME: &str = "plateau";

impl Plateau {
    /// `factor`: over 0 and below 1 (0.1 in PyTorch). `patience`: losses in a row without improvement that are
    /// tolerated (10). `threshold`: from 0 to 1 (1e-4). `min`: the least factor, from 0 to 1 (0).
    pub fn new(factor: f64, patience: u64, threshold: f64, min: f64) -> Result<Self> {
        decay(NAME, "factor", factor)?;
        if factor == 1.0 {
            return Err(Error::argument(NAME, "factor must be below 1, came as 1: nothing would ever change"));
        }
        share(NAME, "threshold", threshold)?;
        share(NAME, "min", min)?;
        Ok(Self { factor, patience, threshold, min, current: 1.0, bad: 0, best: None })
    }
}

table! {
    /// The keys of the schedule `plateau`. Times are in epochs.
    pub struct PlateauConfig {
        /// Epochs without a better validation loss before the rate is lowered.
        patience: u64 = 10, at_least(0);
        /// Smallest relative improvement of the loss.
        ///
        /// The loss must be below the best by more than this fraction of the best's size.
        threshold: f64 = 1e-4, number(0.0..=1.0);
        /// Factor of one change of the rate.
        gamma: f64 = 0.1, up_to(1.0);
        /// Lowest factor on the rate.
        min: f64 = 0.0, ordinary_or_zero();
    }
}

impl ScheduleTable for PlateauConfig {
    fn build(&self, _: &Span) -> Result<Box<dyn Schedule>> {
        Ok(Box::new(Plateau::new(self.gamma, self.patience, self.threshold, self.min)?))
    }
}

impl Schedule for Plateau {
    fn factor(&self, _step: u64) -> f64 {
        self.current
    }

    fn observe(&mut self, loss: f64) {
        let better = self.best.is_none_or(|best| loss < best - self.threshold * best.abs());
        if loss.is_finite() && better {
            (self.best, self.bad) = (Some(loss), 0);
            return;
        }
        self.bad += 1;
        if self.bad > self.patience {
            (self.current, self.bad) = ((self.current * self.factor).max(self.min), 0);
        }
    }

    /// The current factor, the number of losses in a row that were no improvement, and the best loss, if there is one.
    fn state(&self) -> Vec<f64> {
        [self.current, self.bad as f64].into_iter().chain(self.best).collect()
    }

    fn load_state(&mut self, state: &[f64]) -> Result<()> {
        let refuse = |detail: String| Err(Error::argument(NAME, detail));
        let (&[current, bad] | &[current, bad, _]) = state else {
            return refuse(format!("a state holds 2 or 3 numbers, {} came: was it made by another?", state.len()));
        };
        if !(current >= self.min && current <= 1.0) {
            return refuse(format!("a state's factor must be from min ({}) to 1, came as {current}", self.min));
        }
        // Beyond `patience` the count would have been reset to 0.
        if !(bad >= 0.0 && bad <= self.patience as f64 && bad.fract() == 0.0) {
            let patience = self.patience;
            return refuse(format!("a state's losses in a row must be from 0 to patience ({patience}), came as {bad}"));
        }
        let best = state.get(2).copied();
        if let Some(best) = best.filter(|best| !best.is_finite()) {
            return refuse(format!("a state's best loss must be finite, came as {best}"));
        }
        (self.current, self.bad, self.best) = (current, bad as u64, best);
        Ok(())
    }
}
