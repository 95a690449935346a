//! The optimisers, one a file.

mod adam;
mod finite;

pub use adam::{Adam, AdamConfig};

use taper_tensor::{Gradients, Param, Result};

/// What [`Optimizer::step`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a skipped step means that the loss or a gradient is not finite"]
pub enum StepOutcome {
    /// The parameters were changed.
    Taken,
    /// Some gradient holds an infinity or a NaN: nothing was changed, the last good weights are still there.
    Skipped,
}

/// Changes parameters by their gradients.
pub trait Optimizer: Send {
    /// One step. Parameters without a gradient stay as they are. When any gradient is not finite, all stay.
    fn step(&mut self, gradients: &Gradients) -> Result<StepOutcome>;

    /// The learning rate.
    fn lr(&self) -> f64;

    /// Sets the learning rate of the steps that follow.
    fn set_lr(&mut self, lr: f64);

    /// What the optimiser remembers (moments, velocities), each named `PARAMETER.exp_avg` as in PyTorch.
    fn state(&self) -> Vec<Param>;
}
