//! The optimisers, one a file.

mod adam;
mod finite;
mod sgd;

pub use adam::{Adam, AdamConfig};
pub use sgd::{Sgd, SgdConfig};

use taper_tensor::{Error, Gradients, Param, Result};

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

    /// Sets the learning rate of the steps that follow; an error unless it is finite and at least 0.
    fn set_lr(&mut self, lr: f64) -> Result<()>;

    /// What the optimiser remembers (moments, velocities), each named as in PyTorch behind its parameter's name:
    /// `conv1.weight.exp_avg`.
    fn state(&self) -> Vec<Param>;
}

/// Errs unless `value` is finite and at least 0.
fn check_not_negative(op: &'static str, name: &str, value: f64) -> Result<()> {
    // Written so that NaN is refused.
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::argument(op, format!("{name} must be a number of at least 0, came as {value}")))
}
