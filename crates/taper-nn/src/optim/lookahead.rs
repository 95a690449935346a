//! Lookahead (Zhang et al., "Lookahead optimizer: k steps forward, 1 step back", NeurIPS 2019, algorithm 1): after
//! every k steps of an inner optimiser on the fast weights θ, the slow weights φ ← φ + α(θ − φ), and θ ← φ.

use super::{Optimizer, OptimizerState, set_where};
use taper_tensor::profile::{Phase, phase};
use taper_tensor::{Error, Gradients, Param, Result, Tensor, no_grad};

/// The parameters of [`Lookahead`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LookaheadConfig {
    /// k, the steps of the inner optimiser between two of the slow weights; at least 1.
    pub every: u64,
    /// α, the slow weights' step, in (0, 1].
    pub alpha: f64,
}

impl Default for LookaheadConfig {
    /// The paper's: every 5 steps, by half.
    fn default() -> Self {
        Self { every: 5, alpha: 0.5 }
    }
}

/// Slow weights around another optimiser, whose rates it has. The slow weights start as what the parameters are when it
/// is made.
pub struct Lookahead {
    config: LookaheadConfig,
    inner: Box<dyn Optimizer>,
    /// Parameters, each with its slow weights.
    slots: Vec<(Param, Param)>,
    steps: u64,
}

impl Lookahead {
    /// An error when the configuration is out of range.
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
        let slots = inner.params().into_iter().map(slot).collect();
        Ok(Self { config, inner, slots, steps: 0 })
    }
}

fn count_name(param: &Param) -> String {
    format!("{}.slow_step", param.name())
}

impl Optimizer for Lookahead {
    /// Where `apply` is 0, the slow weights too stay as they are until the next time.
    fn step_where(&mut self, gradients: &Gradients, apply: Option<&Tensor>) -> Result<()> {
        self.inner.step_where(gradients, apply)?;
        self.steps += 1;
        if !self.steps.is_multiple_of(self.config.every) {
            return Ok(());
        }
        let _update = phase(Phase::Update);
        no_grad(|| {
            for (param, slow) in self.slots.iter().filter(|(param, _)| param.trainable()) {
                let old = slow.tensor();
                let new = old.add(&param.tensor().sub(&old)?.mul_scalar(self.config.alpha)?)?;
                drop(old);
                set_where(apply, slow, &new)?;
                set_where(apply, param, &new)?;
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
        state.counts.extend(self.slots.iter().map(|(param, _)| (count_name(param), self.steps)));
        state
    }

    fn load_state(&mut self, state: &OptimizerState) -> Result<()> {
        const OP: &str = "lookahead";
        let slow: Vec<&Param> = self.slots.iter().map(|(_, slow)| slow).collect();
        let found = state.like(OP, &slow)?;
        // All parameters count alike.
        let steps = self.slots.first().map(|(param, _)| state.expect_count(OP, &count_name(param))).transpose()?;
        self.inner.load_state(state)?;
        slow.into_iter().zip(found).try_for_each(|(slow, value)| slow.set(&value))?;
        self.steps = steps.unwrap_or(self.steps);
        Ok(())
    }
}
