//! The optimisers, one a file: each is a [`Rule`], a recurrence for one parameter.

mod accumulator;
mod adagrad;
mod adam;
mod clip;
mod clock;
mod decay;
mod ema;
mod groups;
mod lamb;
mod lion;
mod lookahead;
mod muon;
mod per_parameter;
mod quotient;
mod rmsprop;
mod rule;
mod sgd;
mod state;

pub use accumulator::Accumulator;
pub use adagrad::{Adagrad, AdagradConfig};
pub use adam::{Adam, AdamConfig};
pub use clip::{clip_grad_norm, clip_grad_value};
pub use decay::Decay;
pub use ema::Ema;
pub use groups::{Groups, matches};
pub use lamb::{Lamb, LambConfig};
pub use lion::{Lion, LionConfig};
pub use lookahead::{Lookahead, LookaheadConfig};
pub use muon::{AdjustLr, Muon, MuonConfig};
pub use per_parameter::PerParameter;
pub use rmsprop::{Rmsprop, RmspropConfig};
pub use rule::{Moment, Rule};
pub use sgd::{Sgd, SgdConfig};
pub use state::OptimizerState;

use std::collections::HashSet;
use taper_tensor::profile::{Phase, phase};
use taper_tensor::{DType, Error, Gradients, Param, Result, Tensor};

/// What [`Optimizer::step`] did: taken, or skipped because some gradient holds an infinity or a NaN.
///
/// The device decides; the host knows only once it asks, and waits for the device then.
#[derive(Debug, Clone)]
#[must_use = "a step is skipped when a gradient is not finite; `taken` tells"]
pub struct StepOutcome {
    flag: Option<Tensor>,
}

impl StepOutcome {
    /// Whether the parameters were changed. If not, the last good ones are still there. Reads [`StepOutcome::flag`]
    /// from the device.
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
    /// One step. Parameters without a gradient, and frozen ones, stay as they are. When any gradient is not finite, all
    /// stay.
    ///
    /// Nothing is read from the device, which alone knows of a step that was skipped: there steps are counted too, and
    /// one that was skipped does not count, in Adam's bias correction, say.
    fn step(&mut self, gradients: &Gradients) -> Result<StepOutcome> {
        let _update = phase(Phase::Update);
        let params = self.params();
        let found: Vec<&Tensor> =
            params.iter().filter(|param| param.trainable()).filter_map(|param| gradients.of_param(param)).collect();
        let flag = if found.is_empty() { None } else { Some(Tensor::all_finite(&found)?) };
        self.step_where(gradients, flag.as_ref())?;
        Ok(StepOutcome { flag })
    }

    /// One step, of which the device keeps nothing where `apply`, a u8 scalar, is 0. Always taken without it.
    fn step_where(&mut self, gradients: &Gradients, apply: Option<&Tensor>) -> Result<()>;

    /// The parameters that it changes.
    fn params(&self) -> Vec<Param>;

    /// The base learning rate.
    fn lr(&self) -> f64;

    /// Sets the base learning rate of the steps that follow; an error unless it is finite and at least 0.
    fn set_lr(&mut self, lr: f64) -> Result<()>;

    /// The steps that follow are made at the base rate × `factor`, as a schedule says; 1 at first. An error unless it
    /// is finite and at least 0.
    fn set_lr_factor(&mut self, factor: f64) -> Result<()>;

    /// All that a checkpoint needs, each named as in PyTorch behind its parameter's name: `conv1.weight.exp_avg`.
    /// The configuration is not in it.
    fn state(&self) -> OptimizerState;

    /// Continues from `state`; what in it is of other parameters is passed over. An error names what is missing or has
    /// another shape; then nothing was changed.
    fn load_state(&mut self, state: &OptimizerState) -> Result<()>;
}

/// Overwrites `param` with `value` where the flag `apply`, if any, is not 0.
fn set_where(apply: Option<&Tensor>, param: &Param, value: &Tensor) -> Result<()> {
    let Some(flag) = apply else { return param.set(value) };
    let (device, now) = (value.device(), param.tensor());
    if value.shape() == now.shape() && value.dtype() == now.dtype() {
        drop(now); // else it would hold the old value, which could not be overwritten in place
        let (value, flag) = (value.buffer()?, flag.buffer()?);
        if param.update(|target| device.assign_where(target, value, flag))?.is_some() {
            return Ok(());
        }
    }
    param.set(&flag.select(value, &param.tensor())?)
}

/// Errs when a name comes twice: a parameter would be changed twice a step, and its state be lost.
fn check_distinct(op: &'static str, params: &[Param]) -> Result<()> {
    let mut names = HashSet::new();
    match params.iter().find(|param| !names.insert(param.name())) {
        Some(twice) => Err(Error::argument(op, format!("{} came twice: give each parameter once", twice.name()))),
        None => Ok(()),
    }
}

/// Errs when a gradient is not like its parameter, as one that was set by hand may be: before anything is changed.
fn check_gradients<'a>(op: &str, params: impl IntoIterator<Item = &'a Param>, gradients: &Gradients) -> Result<()> {
    params.into_iter().filter(|param| param.trainable()).try_for_each(|param| {
        let (Some(gradient), now) = (gradients.of_param(param), param.tensor()) else { return Ok(()) };
        if gradient.shape() != now.shape() || gradient.dtype() != now.dtype() {
            let [expected, came] = [&now, gradient].map(|tensor| format!("{} {}", tensor.dtype(), tensor.shape()));
            let name = param.name();
            return Err(Error::Parameter(format!("{op}: the gradient of {name}: expected {expected}, came {came}")));
        }
        if gradient.device() != now.device() {
            let [expected, came] = now.device().told_apart(gradient.device());
            let detail =
                format!("{op}: the gradient of {} is on {came}, it is on {expected}: move it there", param.name());
            return Err(Error::Parameter(detail));
        }
        Ok(())
    })
}

/// Errs unless `value` is finite and at least 0.
fn check_not_negative(op: &'static str, name: &str, value: f64) -> Result<()> {
    // Written so that NaN is refused.
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::argument(op, format!("{name} must be a number of at least 0, came as {value}")))
}

/// Errs unless `values`, decays of moments, are all in [0, 1).
fn check_decays(op: &'static str, name: &str, values: &[f64]) -> Result<()> {
    match values.iter().find(|value| !(0.0..1.0).contains(*value)) {
        Some(value) => {
            Err(Error::argument(op, format!("{name} must be at least 0 and less than 1, one came as {value}")))
        }
        None => Ok(()),
    }
}

/// f32 in the place of half precision, which long averages leave.
pub(crate) fn wide(dtype: DType) -> DType {
    if matches!(dtype, DType::F16 | DType::BF16) { DType::F32 } else { dtype }
}
