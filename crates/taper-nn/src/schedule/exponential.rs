//! Exponential decay.

use super::{Schedule, ScheduleTable, Span, at_least_one, decay};
use taper_config::table;
use taper_tensor::Result;

/// γ^(t / every) at step t: a smooth decay, by a factor γ over every `every` steps. With `every` = 1 it is PyTorch's
/// `ExponentialLR`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exponential {
    gamma: f64,
    every: u64,
}

impl Exponential {
    /// `gamma`: γ, over 0 and at most 1. `every`: the number of steps over which the factor γ is reached (those of an
    /// epoch, say), at least 1.
    pub fn new(gamma: f64, every: u64) -> Result<Self> {
        decay("exponential", "gamma", gamma)?;
        at_least_one("exponential", "every", every)?;
        Ok(Self { gamma, every })
    }
}

table! {
    /// The keys of the schedule `exponential`. Times are in epochs.
    pub struct ExponentialConfig {
        /// Epochs between changes, from the end of warm-up.
        every: f64 = 1.0, ordinary();
        /// Factor of one change of the rate.
        gamma: f64 = 0.1, up_to(1.0);
    }
}

impl ScheduleTable for ExponentialConfig {
    fn build(&self, span: &Span) -> Result<Box<dyn Schedule>> {
        Ok(Box::new(Exponential::new(self.gamma, span.in_steps(self.every))?))
    }
}

impl Schedule for Exponential {
    fn factor(&self, step: u64) -> f64 {
        self.gamma.powf(step as f64 / self.every as f64)
    }
}
