//! RMSprop (Hinton, "Neural networks for machine learning", lecture 6e, 2012; centred as in Graves, "Generating
//! sequences with recurrent neural networks", 2013, equations 38 to 41), as PyTorch computes it:
//!
//! v ← αv + (1 − α)g²; d = g / (√v + ε); u ← μu + d; p ← p − lr · u, or p − lr · d without momentum.
//!
//! Centred: m ← αm + (1 − α)g, and √(v − m²) in the place of √v.

use super::{Decay, Moment, PerParameter, Rule, check_decays, check_not_negative};
use taper_tensor::{Result, Tensor};

/// The RMSprop optimiser.
pub type Rmsprop = PerParameter<RmspropConfig>;

/// The hyperparameters of [`Rmsprop`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RmspropConfig {
    /// The learning rate; at least 0.
    pub lr: f64,
    /// α, the decay rate of the mean of squares; in [0, 1).
    pub alpha: f64,
    /// ε, added to the root; at least 0.
    pub eps: f64,
    /// μ, the momentum coefficient: the decay of the velocity; at least 0, and 0 for none.
    pub momentum: f64,
    /// Whether the gradient is normalised by its variance (centred), instead of its mean square.
    pub centered: bool,
    /// λ, weight decay: λp is added to the gradient; at least 0.
    pub weight_decay: f64,
    /// ρ, L1: ρ · sign(p) is added to the gradient; at least 0.
    pub l1: f64,
}

impl Default for RmspropConfig {
    /// PyTorch's: lr 1e-2, alpha 0.99, eps 1e-8, everything else 0.
    fn default() -> Self {
        Self { lr: 1e-2, alpha: 0.99, eps: 1e-8, momentum: 0.0, centered: false, weight_decay: 0.0, l1: 0.0 }
    }
}

impl Rule for RmspropConfig {
    const NAME: &'static str = "rmsprop";

    fn check(&self) -> Result<()> {
        check_decays(Self::NAME, "alpha", &[self.alpha])?;
        check_not_negative(Self::NAME, "eps", self.eps)?;
        check_not_negative(Self::NAME, "momentum", self.momentum)
    }

    fn lr(&self) -> f64 {
        self.lr
    }

    fn set_lr(&mut self, lr: f64) {
        self.lr = lr;
    }

    fn decay(&self) -> Decay {
        Decay { weight_decay: self.weight_decay, decoupled: false, l1: self.l1 }
    }

    fn memory(&self) -> Vec<(&'static str, f64)> {
        let all = [("square_avg", true), ("grad_avg", self.centered), ("momentum_buffer", self.momentum != 0.0)];
        all.into_iter().filter(|(_, wanted)| *wanted).map(|(name, _)| (name, 0.0)).collect()
    }

    fn update(&self, now: &Moment<'_>, p: Tensor, g: &Tensor, memory: &[Tensor]) -> Result<(Tensor, Vec<Tensor>)> {
        let v = memory[0].mul_scalar(self.alpha)?.add(&g.mul(g)?.mul_scalar(1.0 - self.alpha)?)?;
        let mut new = vec![v.clone()];
        let mut square = v;
        if self.centered {
            let m = memory[1].add(&g.sub(&memory[1])?.mul_scalar(1.0 - self.alpha)?)?;
            // A variance: it is below 0 only by rounding.
            square = square.sub(&m.mul(&m)?)?.relu()?;
            new.push(m);
        }
        let mut direction = g.div(&square.sqrt()?.add_scalar(self.eps)?)?;
        if self.momentum != 0.0 {
            direction = memory[new.len()].mul_scalar(self.momentum)?.add(&direction)?;
            new.push(direction.clone());
        }
        Ok((p.sub(&direction.mul_scalar(now.lr)?)?, new))
    }
}
