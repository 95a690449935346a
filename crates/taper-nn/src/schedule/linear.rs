//! A learning rate that changes linearly.

use super::{Schedule, ScheduleTable, Span, at_least, at_least_one};
use taper_config::table;
use taper_tensor::Result;

/// from + (to − from) · t / T at step t of T, `to` from then on, as PyTorch's `LinearLR`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Linear {
    steps: u64,
    from: f64,
    to: f64,
}

impl Linear {
    /// `steps`: T, at least 1. `from`, `to`: the first and the last factor, at least 0.
    pub fn new(steps: u64, from: f64, to: f64) -> Result<Self> {
        at_least_one("linear", "steps", steps)?;
        at_least("linear", "from", from, 0.0)?;
        at_least("linear", "to", to, 0.0)?;
        Ok(Self { steps, from, to })
    }
}

table! {
    /// The keys of the schedule `linear`. Times are in epochs.
    pub struct LinearConfig {
        /// Lowest factor on the rate.
        min: f64 = 0.0, ordinary_or_zero();
    }
}

impl ScheduleTable for LinearConfig {
    const ENDS: bool = true;

    fn build(&self, span: &Span) -> Result<Box<dyn Schedule>> {
        Ok(Box::new(Linear::new(span.steps, 1.0, self.min)?))
    }
}

impl Schedule for Linear {
    fn factor(&self, step: u64) -> f64 {
        let part = step.min(self.steps) as f64 / self.steps as f64;
        // Weighted so that both ends are exact.
        self.from * (1.0 - part) + self.to * part
    }
}
