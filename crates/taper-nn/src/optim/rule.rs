//! The update rule of an optimiser: what distinguishes one optimiser from another.

use super::Decay;
use super::clock::Clocks;
use std::fmt::Debug;
use taper_tensor::{Param, Result, Tensor};

/// The update rule of an optimiser for one parameter, and its configuration. [`super::PerParameter`] makes an optimiser
/// of it.
///
/// ```
/// use taper_nn::{Decay, Moment, PerParameter, Result, Rule, Tensor};
///
/// /// signSGD (Bernstein et al. 2018): p ← p − lr · sign(g).
/// #[derive(Debug)]
/// struct SignSgd {
///     lr: f64,
/// }
///
/// impl Rule for SignSgd {
///     const NAME: &'static str = "sign_sgd";
///
///     fn check(&self) -> Result<()> {
///         Ok(())
///     }
///
///     fn lr(&self) -> f64 {
///         self.lr
///     }
///
///     fn set_lr(&mut self, lr: f64) {
///         self.lr = lr;
///     }
///
///     fn decay(&self) -> Decay {
///         Decay::default()
///     }
///
///     fn memory(&self) -> Vec<(&'static str, f64)> {
///         vec![]
///     }
///
///     fn update(&self, now: &Moment<'_>, p: Tensor, g: &Tensor, _: &[Tensor]) -> Result<(Tensor, Vec<Tensor>)> {
///         Ok((p.sub(&g.sign()?.mul_scalar(now.lr)?)?, vec![]))
///     }
/// }
///
/// let optimizer = PerParameter::new(vec![], SignSgd { lr: 1e-3 })?;
/// # taper_nn::Optimizer::params(&optimizer);
/// # Ok::<(), taper_nn::Error>(())
/// ```
pub trait Rule: Debug + Send {
    /// The optimiser's name in error messages.
    const NAME: &'static str;

    /// Returns an error when the configuration is out of range. [`super::PerParameter`] checks [`Rule::lr`] and
    /// [`Rule::decay`].
    fn check(&self) -> Result<()>;

    /// Returns an error when the rule does not support the parameter.
    fn check_param(&self, _param: &Param) -> Result<()> {
        Ok(())
    }

    /// The base learning rate.
    fn lr(&self) -> f64;

    /// Sets the base learning rate; the caller has checked its range.
    fn set_lr(&mut self, lr: f64);

    /// Weight decay and L1, which are applied before [`Rule::update`].
    fn decay(&self) -> Decay;

    /// The state that is kept for each parameter: the name and the initial value of each tensor, which has the
    /// parameter's shape. The names are PyTorch's where it has one.
    fn memory(&self) -> Vec<(&'static str, f64)>;

    /// The parameter and its state (`memory`, in the order of [`Rule::memory`]) after a step with the gradient `g`.
    /// Nothing is read from the device.
    fn update(&self, now: &Moment<'_>, p: Tensor, g: &Tensor, memory: &[Tensor]) -> Result<(Tensor, Vec<Tensor>)>;

    /// The same step in one kernel, including weight decay (L1 is in `g` already), where `apply` is not 0; `None` if
    /// the device has no such kernel.
    fn kernel(
        &self,
        _now: &Moment<'_>,
        _p: &Param,
        _g: &Tensor,
        _memory: &[Param],
        _apply: Option<&Tensor>,
    ) -> Result<Option<()>> {
        Ok(None)
    }
}

/// The learning rate and the number of the step that is being taken. The number is on the device: a skipped step does
/// not count.
#[derive(Debug)]
pub struct Moment<'a> {
    /// The learning rate of this step.
    pub lr: f64,
    pub(super) clocks: &'a Clocks,
    /// The parameter's index in `clocks`.
    pub(super) place: usize,
}

impl Moment<'_> {
    /// The number of steps that this parameter took before this one: an i64 scalar on its device. A step in which it
    /// had no gradient does not count.
    pub fn taken(&self) -> &Tensor {
        self.clocks.taken(self.place)
    }

    /// The bias correction 1 − βᵗ for this step, the parameter's t-th, counted from 1: an f64 scalar on the parameter's
    /// device. An average that started as 0 and decays by β is divided by it, so that its weights add up to 1.
    pub fn correction(&self, beta: f64) -> Result<Tensor> {
        self.clocks.correction(self.place, beta)
    }
}
