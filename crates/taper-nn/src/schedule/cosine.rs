//! Cosine annealing.

use super::{Schedule, ScheduleTable, Span, at_least_one, half_wave, share};
use taper_config::table;
use taper_tensor::Result;

/// min + ½(1 − min)(1 + cos(πt / T)) at step t of T, `min` from then on: one cycle of Loshchilov and Hutter, "SGDR:
/// stochastic gradient descent with warm restarts", ICLR 2017, equation 5.
///
/// The same as PyTorch's `CosineAnnealingLR` up to T; after T PyTorch's rises again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cosine {
    steps: u64,
    min: f64,
}

impl Cosine {
    /// `steps`: T, at least 1. `min`: the last factor, from 0 to 1.
    pub fn new(steps: u64, min: f64) -> Result<Self> {
        at_least_one("cosine", "steps", steps)?;
        share("cosine", "min", min)?;
        Ok(Self { steps, min })
    }
}

table! {
    /// The keys of the schedule `cosine`. Times are in epochs.
    pub struct CosineConfig {
        /// Lowest factor on the rate.
        min: f64 = 0.0, ordinary_or_zero();
    }
}

impl ScheduleTable for CosineConfig {
    const ENDS: bool = true;

    fn build(&self, span: &Span) -> Result<Box<dyn Schedule>> {
        Ok(Box::new(Cosine::new(span.steps, self.min)?))
    }
}

impl Schedule for Cosine {
    fn factor(&self, step: u64) -> f64 {
        half_wave(1.0, self.min, step.min(self.steps) as f64 / self.steps as f64)
    }
}
