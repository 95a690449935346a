//! Cosine annealing with warm restarts.

use super::{Schedule, ScheduleTable, Span, at_least_one, half_wave, share};
use taper_config::table;
use taper_tensor::Result;

/// min + ½(1 − min)(1 + cos(πt / Tᵢ)), t counted from the i-th restart, Tᵢ = first · multiplyⁱ: SGDR (Loshchilov and
/// Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR 2017, equation 5), as PyTorch's
/// `CosineAnnealingWarmRestarts`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CosineRestarts {
    first: u64,
    multiply: u64,
    min: f64,
}

impl CosineRestarts {
    /// `first`: T₀, the steps before the first restart, at least 1. `multiply`: how many times longer each cycle is
    /// than the one before, at least 1. `min`: the factor that each cycle falls towards, from 0 to 1.
    pub fn new(first: u64, multiply: u64, min: f64) -> Result<Self> {
        at_least_one("cosine_restarts", "first", first)?;
        at_least_one("cosine_restarts", "multiply", multiply)?;
        share("cosine_restarts", "min", min)?;
        Ok(Self { first, multiply, min })
    }
}

table! {
    /// The keys of the schedule `cosine-restarts`. Times are in epochs.
    pub struct CosineRestartsConfig {
        /// Epochs of the first cycle, from the end of warm-up.
        first: f64 = 1.0, ordinary();
        /// Factor by which each cycle is longer than the last.
        multiply: u64 = 1, at_least(1);
        /// Lowest factor on the rate.
        min: f64 = 0.0, ordinary_or_zero();
    }
}

impl ScheduleTable for CosineRestartsConfig {
    fn build(&self, span: &Span) -> Result<Box<dyn Schedule>> {
        Ok(Box::new(CosineRestarts::new(span.in_steps(self.first), self.multiply, self.min)?))
    }
}

impl Schedule for CosineRestarts {
    fn factor(&self, step: u64) -> f64 {
        let (mut since, mut length) = (step, self.first);
        if self.multiply == 1 {
            since %= length;
        }
        while since >= length {
            since -= length;
            // Saturates: a cycle too long to count never ends.
            length = length.saturating_mul(self.multiply);
        }
        half_wave(1.0, self.min, since as f64 / length as f64)
    }
}
