//! Polynomial decay to zero.

use super::{Schedule, ScheduleTable, Span, at_least_one};
use taper_config::table;
use taper_tensor::{Error, Result};

/// (1 − t / T)^power at step t of T, 0 from then on, as PyTorch's `PolynomialLR` (the "poly" policy of Chen et al.,
/// "DeepLab", TPAMI 2018, section 4.1).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Polynomial {
    steps: u64,
    power: f64,
}

impl Polynomial {
    /// `steps`: T, at least 1. `power`: over 0; 1 is linear.
    pub fn new(steps: u64, power: f64) -> Result<Self> {
        at_least_one("polynomial", "steps", steps)?;
        if !(power > 0.0 && power.is_finite()) {
            let detail = format!("power must be a finite number over 0, came as {power}");
            return Err(Error::argument("polynomial", detail));
        }
        Ok(Self { steps, power })
    }
}

table! {
    /// The keys of the schedule `polynomial`. Times are in epochs.
    pub struct PolynomialConfig {
        /// Exponent of the decay.
        power: f64 = 1.0, ordinary();
    }
}

impl ScheduleTable for PolynomialConfig {
    const ENDS: bool = true;

    fn build(&self, span: &Span) -> Result<Box<dyn Schedule>> {
        Ok(Box::new(Polynomial::new(span.steps, self.power)?))
    }
}

impl Schedule for Polynomial {
    fn factor(&self, step: u64) -> f64 {
        (1.0 - step.min(self.steps) as f64 / self.steps as f64).powf(self.power)
    }
}
