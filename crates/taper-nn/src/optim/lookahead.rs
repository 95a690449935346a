//! Lookahead (Zhang et al., "Lookahead optimizer: k steps forward, 1 step back", NeurIPS 2019, algorithm 1): after
//! every k steps of an inner optimiser on the fast weights θ, the slow weights φ ← φ + α(θ − φ), and θ ← φ.
//!
//! Only the device knows whether a step was skipped, and so when k steps were taken. The step of the slow weights is
//! therefore decided on the device, after every step of the inner optimiser.

use super::{Optimizer, OptimizerState, set_where};
use taper_tensor::profile::{Phase, phase};
use taper_tensor::{DType, Error, Gradients, Param, Result, SgdSpec, Tensor, no_grad};

/// The hyperparameters of [`Lookahead`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LookaheadConfig {
    /// k, the number of steps of the inner optimiser between two steps of the slow weights; at least 1.
    pub every: u64,
    /// α, the step size of the slow weights, in (0, 1].
    pub alpha: f64,
}

impl Default for LookaheadConfig {
    /// The paper's: k = 5, α = 0.5.
    fn default() -> Self {
        Self { every: 5, alpha: 0.5 }
    }
}

/// Slow weights around an inner optimiser, which has the learning rates. The slow weights start as the values of the
/// parameters at the time of [`Lookahead::new`].
pub struct Lookahead {
    config: LookaheadConfig,
    inner: Box<dyn Optimizer>,
    /// Each parameter with its slow weights.
    slots: Vec<(Param, Param)>,
    /// The number of steps since the last step of the slow weights: an i64 scalar on the device; `None` without
    /// parameters.
    since: Option<Tensor>,
}

impl Lookahead {
    /// Adds slow weights to `inner`. An error when the configuration is out of range.
    pub fn new(inner: Box<dyn Optimizer>, config: LookaheadConfig) -> Result<Self> {
        const OP: &str = "lookahead";
        if config.every == 0 {
            return Err(Error::argument(OP, "every must be at least 1, came as 0"));
        }
        if !(config.alpha > 0.0 && config.alpha <= 1.0) {
            return Err(Error::argument(OP, format!("alpha must be over 0 and at most 1, came as {}", config.alpha)));
        }
        let slot = |param: Param| {
            let slow = Param::buffer(format!("{}.slow", param.name()), &param.tensor());
            (param, slow)
        };
        let slots: Vec<_> = inner.params().into_iter().map(slot).collect();
        let mut lookahead = Self { config, inner, slots, since: None };
        lookahead.set_since(0)?;
        Ok(lookahead)
    }

    fn set_since(&mut self, steps: u64) -> Result<()> {
        let since = |(_, slow): &(Param, Param)| Tensor::full(steps as f64, [], DType::I64, slow.tensor().device());
        self.since = self.slots.first().map(since).transpose()?;
        Ok(())
    }

    /// Counts a step where `apply` is not 0. Returns the number of steps since the last step of the slow weights (i64),
    /// and whether this is the k-th (u8), both scalars on the device.
    fn count(&mut self, apply: Option<&Tensor>) -> Result<Option<[Tensor; 2]>> {
        let Some(since) = &self.since else { return Ok(None) };
        let scalar = |value: f64, dtype| Tensor::full(value, [], dtype, since.device());
        let one = match apply {
            Some(flag) => flag.ne(&scalar(0.0, DType::U8)?)?.cast(DType::I64)?,
            None => scalar(1.0, DType::I64)?,
        };
        let steps = since.add(&one)?;
        let due = steps.eq(&scalar(self.config.every as f64, DType::I64)?)?;
        self.since = Some(due.select(&scalar(0.0, DType::I64)?, &steps)?);
        Ok(Some([steps, due]))
    }

    /// φ ← φ + α(θ − φ) where `due` is not 0.
    fn slower(&self, slow: &Param, fast: &Tensor, [since, due]: [&Tensor; 2]) -> Result<()> {
        // This is a step of SGD, φ ← φ − lr (g + λφ), with g = θ. Its kernel on the CPU costs nothing where it is not
        // due.
        let (lr, weight_decay) = (-self.config.alpha, -1.0);
        let spec = SgdSpec { lr, momentum: 0.0, dampening: 0.0, weight_decay, nesterov: false };
        let (device, g, flag) = (fast.device(), fast.buffer()?, due.buffer()?);
        let steps = since.buffer()?;
        if slow.update(|slow| device.sgd_step(slow, None, g, steps, Some(flag), &spec))?.is_some() {
            return Ok(());
        }
        let old = slow.tensor();
        let new = old.add(&fast.sub(&old)?.mul_scalar(self.config.alpha)?)?;
        drop(old);
        set_where(Some(due), slow, &new)
    }
}

fn count_name(param: &Param) -> String {
    format!("{}.slow_step", param.name())
}

impl Optimizer for Lookahead {
    fn step_where(&mut self, gradients: &Gradients, apply: Option<&Tensor>) -> Result<()> {
        self.inner.step_where(gradients, apply)?;
        let _update = phase(Phase::Update);
        no_grad(|| {
            let Some([since, due]) = self.count(apply)? else { return Ok(()) };
            for (param, slow) in self.slots.iter().filter(|(param, _)| param.trainable()) {
                self.slower(slow, &param.tensor().detach(), [&since, &due])?;
                set_where(Some(&due), param, &slow.tensor())?;
            }
            Ok(())
        })
    }

    fn params(&self) -> Vec<Param> {
        self.inner.params()
    }

    fn lr(&self) -> f64 {
        self.inner.lr()
    }

    fn set_lr(&mut self, lr: f64) -> Result<()> {
        self.inner.set_lr(lr)
    }

    fn set_lr_factor(&mut self, factor: f64) -> Result<()> {
        self.inner.set_lr_factor(factor)
    }

    fn state(&self) -> OptimizerState {
        let mut state = self.inner.state();
        state.tensors.extend(self.slots.iter().map(|(_, slow)| (slow.name().to_owned(), slow.tensor())));
        let since = self.slots.iter().zip(self.since.iter().cycle());
        state.tensors.extend(since.map(|((param, _), since)| (count_name(param), since.clone())));
        state
    }

    fn load_state(&mut self, state: &OptimizerState) -> Result<()> {
        const OP: &str = "lookahead";
        let slow: Vec<&Param> = self.slots.iter().map(|(_, slow)| slow).collect();
        let found = state.like(OP, &slow)?;
        // All parameters have the same count.
        let steps = self.slots.first().map(|(param, _)| state.expect_count(OP, &count_name(param))).transpose()?;
        self.inner.load_state(state)?;
        slow.into_iter().zip(found).try_for_each(|(slow, value)| slow.set(&value))?;
        // States from before steps were counted on the device hold the number of all steps.
        self.set_since(steps.unwrap_or(0) % self.config.every)
    }
}
