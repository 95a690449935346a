//! What tells one optimiser from another.

use super::Decay;
use super::clock::Clocks;
use std::fmt::Debug;
use taper_tensor::{Param, Result, Tensor};

/// The recurrence of an optimiser for one parameter, and its configuration. [`super::PerParameter`] makes an optimiser
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
    /// The optimiser's name in errors.
    const NAME: &'static str;

    /// Errs when the configuration is out of range. [`Rule::lr`] and [`Rule::decay`] are checked elsewhere.
    fn check(&self) -> Result<()>;

    /// Errs when a parameter is none that it can change.
    fn check_param(&self, _param: &Param) -> Result<()> {
        Ok(())
    }

    /// The base learning rate.
    fn lr(&self) -> f64;

    /// Sets the base learning rate, which is in range.
    fn set_lr(&mut self, lr: f64);

    /// What pulls the weights towards 0; it is applied before [`Rule::update`].
    fn decay(&self) -> Decay;

    /// What is remembered of a parameter, each of its shape: the names, PyTorch's where it has one, and the first
    /// values.
    fn memory(&self) -> Vec<(&'static str, f64)>;

    /// The parameter and what is remembered after a step with the gradient `g`, on the device throughout.
    fn update(&self, now: &Moment<'_>, p: Tensor, g: &Tensor, memory: &[Tensor]) -> Result<(Tensor, Vec<Tensor>)>;

    /// The same in a kernel, with weight decay (L1 is in `g`), where `apply` is not 0; `None` if there is no such
    /// kernel.
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

/// When a step is made. How many were before, the device knows: a step that it skipped does not count.
#[derive(Debug)]
pub struct Moment<'a> {
    /// The learning rate of this step.
    pub lr: f64,
    pub(super) clocks: &'a Clocks,
    /// The parameter's place among those that the clocks count for.
    pub(super) place: usize,
}

impl Moment<'_> {
    /// The steps that this parameter took before this one: an i64 scalar on its device. A step without a gradient for it
    /// is none of its own.
    pub fn taken(&self) -> &Tensor {
        self.clocks.taken(self.place)
    }

    /// 1 − βᵗ for the number t of this step, from 1: an f64 scalar on the parameter's device. What the mean of t numbers
    /// that started as 0 and decays by β is divided by, to be one of weights that add up to 1.
    pub fn correction(&self, beta: f64) -> Result<Tensor> {
        self.clocks.correction(self.place, beta)
    }
}
