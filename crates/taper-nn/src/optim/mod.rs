//! The optimisers, one per file. Most are a [`Rule`]: the update of one parameter, which [`PerParameter`] applies to
//! all.

mod accumulator;
mod adagrad;
mod adam;
mod clip;
mod clock;
mod decay;
mod ema;
mod groups;
mod info;
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
pub use groups::Groups;
pub use info::{BuildOptimizer, OptimizerInfo};
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

/// The optimisers by name. To add one, add a file beside this one, and its lines here.
const ALL: &[OptimizerInfo] = &[
    OptimizerInfo::of::<AdamConfig>("adam"),
    adam::ADAMW,
    OptimizerInfo::of::<SgdConfig>("sgd"),
    OptimizerInfo::of::<RmspropConfig>("rmsprop"),
    OptimizerInfo::of::<AdagradConfig>("adagrad"),
    OptimizerInfo::of::<LionConfig>("lion"),
    OptimizerInfo::of::<LambConfig>("lamb"),
    muon::MUON,
];

/// All optimisers that can be made by their name.
pub fn optimizers() -> &'static [OptimizerInfo] {
    ALL
}

/// The result of [`Optimizer::step`]: the step was taken, or skipped because a gradient holds an infinity or a NaN.
///
/// The device decides. Asking for the result makes the host wait for the device.
#[derive(Debug, Clone)]
#[must_use = "a step is skipped when a gradient is not finite; `taken` tells"]
pub struct StepOutcome {
    flag: Option<Tensor>,
}

impl StepOutcome {
    /// Whether the step was taken; if not, the parameters are unchanged. True when no parameter had a gradient. Reads
    /// [`StepOutcome::flag`] from the device.
    pub fn taken(&self) -> Result<bool> {
        self.flag.as_ref().map_or(Ok(true), |flag| Ok(flag.item()? != 0.0))
    }

    /// A u8 scalar on the device, 1 for a step that was taken and 0 for a skipped one; `None` when no parameter had a
    /// gradient.
    pub fn flag(&self) -> Option<&Tensor> {
        self.flag.as_ref()
    }
}

/// An optimiser: updates parameters by their gradients.
pub trait Optimizer: Send {
    /// Takes one step. Parameters without a gradient, and frozen ones, stay unchanged. When any gradient is not finite,
    /// the step is skipped: all parameters stay unchanged.
    ///
    /// Nothing is read from the device, so that the host does not wait. Only the device knows whether a step was
    /// skipped; steps are therefore counted there, and a skipped step does not count, in Adam's bias correction, for
    /// example.
    fn step(&mut self, gradients: &Gradients) -> Result<StepOutcome> {
        let _update = phase(Phase::Update);
        let params = self.params();
        let found: Vec<&Tensor> =
            params.iter().filter(|param| param.trainable()).filter_map(|param| gradients.of_param(param)).collect();
        let flag = if found.is_empty() { None } else { Some(Tensor::all_finite(&found)?) };
        self.step_where(gradients, flag.as_ref())?;
        Ok(StepOutcome { flag })
    }

    /// Takes one step that changes nothing where `apply`, a u8 scalar on the device, is 0. Without `apply` it is always
    /// taken.
    fn step_where(&mut self, gradients: &Gradients, apply: Option<&Tensor>) -> Result<()>;

    /// The parameters of this optimiser.
    fn params(&self) -> Vec<Param>;

    /// The base learning rate.
    fn lr(&self) -> f64;

    /// Sets the base learning rate of the following steps. An error unless it is finite and at least 0.
    fn set_lr(&mut self, lr: f64) -> Result<()>;

    /// Sets the factor on the base learning rate for the following steps, as a schedule gives it; 1 at first. An error
    /// unless it is finite and at least 0.
    fn set_lr_factor(&mut self, factor: f64) -> Result<()>;

    /// The state that a checkpoint needs. Each tensor is named by its parameter's name and PyTorch's name of the state:
    /// `conv1.weight.exp_avg`. The configuration is not included.
    fn state(&self) -> OptimizerState;

    /// Restores `state`. Entries of other parameters are ignored. An error names what is missing or has another shape
    /// or dtype; nothing is changed then.
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

/// Returns an error when a name occurs twice: the parameter would be updated twice per step, and its state would be
/// lost.
fn check_distinct(op: &'static str, params: &[Param]) -> Result<()> {
    let mut names = HashSet::new();
    match params.iter().find(|param| !names.insert(param.name())) {
        Some(twice) => Err(Error::argument(op, format!("{} came twice: give each parameter once", twice.name()))),
        None => Ok(()),
    }
}

/// Returns an error when a gradient's shape, dtype or device is not its parameter's, as may be when it was set by hand.
/// Called before anything is changed.
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

/// Returns an error unless `value` is finite and at least 0.
fn check_not_negative(op: &'static str, name: &str, value: f64) -> Result<()> {
    // Written so that NaN is refused.
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::argument(op, format!("{name} must be a number of at least 0, came as {value}")))
}

/// Returns an error unless `values`, decay rates of moments, are all in [0, 1).
fn check_decays(op: &'static str, name: &str, values: &[f64]) -> Result<()> {
    match values.iter().find(|value| !below_one(value)) {
        Some(value) => {
            Err(Error::argument(op, format!("{name} must be at least 0 and less than 1, one came as {value}")))
        }
        None => Ok(()),
    }
}

/// Whether `value` is a decay rate: in [0, 1).
fn below_one(value: &f64) -> bool {
    (0.0..1.0).contains(value)
}

/// f32 for the half-precision dtypes, which are too coarse for long averages; any other dtype unchanged.
pub(crate) fn wide(dtype: DType) -> DType {
    if matches!(dtype, DType::F16 | DType::BF16) { DType::F32 } else { dtype }
}
