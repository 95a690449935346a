//! The optimisers, one a file.

mod adam;
mod sgd;

pub use adam::{Adam, AdamConfig};
pub use sgd::{Sgd, SgdConfig};

use taper_tensor::{Error, Gradients, Param, Result, Tensor};

/// What [`Optimizer::step`] did: taken, or skipped because some gradient holds an infinity or a NaN.
///
/// The device decides; the host knows only once it asks, and waits for the device then.
#[derive(Debug, Clone)]
#[must_use = "a step is skipped when a gradient is not finite; `taken` tells"]
pub struct StepOutcome {
    flag: Option<Tensor>,
}

impl StepOutcome {
    /// Whether the parameters were changed. If not, the last good ones are still there. Reads [`StepOutcome::flag`] from
    /// the device.
    pub fn taken(&self) -> Result<bool> {
        self.flag.as_ref().map_or(Ok(true), |flag| Ok(flag.item()? != 0.0))
    }

    /// A u8 scalar on the device, 1 for taken and 0 for skipped; `None` when no parameter had a gradient.
    pub fn flag(&self) -> Option<&Tensor> {
        self.flag.as_ref()
    }
}

/// Changes parameters by their gradients.
pub trait Optimizer: Send {
    /// One step. Parameters without a gradient stay as they are. When any gradient is not finite, all stay.
    ///
    /// Nothing is read from the device. So the host, which counts steps, cannot know of one that was skipped: it counts
    /// (in Adam's bias correction, and as the first step that SGD does not dampen).
    fn step(&mut self, gradients: &Gradients) -> Result<StepOutcome>;

    /// The learning rate.
    fn lr(&self) -> f64;

    /// Sets the learning rate of the steps that follow; an error unless it is finite and at least 0.
    fn set_lr(&mut self, lr: f64) -> Result<()>;

    /// What the optimiser remembers (moments, velocities), each named as in PyTorch behind its parameter's name:
    /// `conv1.weight.exp_avg`.
    fn state(&self) -> Vec<Param>;
}

/// Whether `gradients` are all finite, as [`StepOutcome::flag`].
fn all_finite(gradients: &[&Tensor]) -> Result<Option<Tensor>> {
    if gradients.is_empty() { Ok(None) } else { Tensor::all_finite(gradients).map(Some) }
}

/// Overwrites `param` with `value` where the flag `apply`, if any, is not 0.
fn set_where(apply: Option<&Tensor>, param: &Param, value: &Tensor) -> Result<()> {
    match apply {
        Some(flag) => param.set(&flag.select(value, &param.tensor())?),
        None => param.set(value),
    }
}

/// Errs unless `value` is finite and at least 0.
fn check_not_negative(op: &'static str, name: &str, value: f64) -> Result<()> {
    // Written so that NaN is refused.
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::argument(op, format!("{name} must be a number of at least 0, came as {value}")))
}
