//! Exponential decay.

use super::{Schedule, at_least_one, decay};
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

impl Schedule for Exponential {
    fn factor(&self, step: u64) -> f64 {
        self.gamma.powf(step as f64 / self.every as f64)
    }
}
