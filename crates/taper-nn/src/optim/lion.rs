//! Lion (Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023, algorithm 2):
//!
//! c = β₁m + (1 − β₁)g; p ← p − lr · (sign(c) + λp); m ← β₂m + (1 − β₂)g

use super::{Decay, Moment, PerParameter, Rule, check_decays};
use taper_tensor::{Result, Tensor};

/// The Lion optimiser.
pub type Lion = PerParameter<LionConfig>;

/// The hyperparameters of [`Lion`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LionConfig {
    /// The learning rate; at least 0. The paper recommends a third to a tenth of AdamW's.
    pub lr: f64,
    /// β₁, for the step, and β₂, for the momentum that is stored, each in [0, 1).
    pub betas: [f64; 2],
    /// λ, decoupled weight decay; at least 0. The paper recommends three to ten times AdamW's.
    pub weight_decay: f64,
    /// ρ, L1: ρ · sign(p) is added to the gradient; at least 0.
    pub l1: f64,
}

impl Default for LionConfig {
    /// The paper's code's: lr 1e-4, betas 0.9 and 0.99, no weight decay.
    fn default() -> Self {
        Self { lr: 1e-4, betas: [0.9, 0.99], weight_decay: 0.0, l1: 0.0 }
    }
}

impl Rule for LionConfig {
    const NAME: &'static str = "lion";

    fn check(&self) -> Result<()> {
        check_decays(Self::NAME, "betas", &self.betas)
    }

    fn lr(&self) -> f64 {
        self.lr
    }

    fn set_lr(&mut self, lr: f64) {
        self.lr = lr;
    }

    fn decay(&self) -> Decay {
        Decay { weight_decay: self.weight_decay, decoupled: true, l1: self.l1 }
    }

    fn memory(&self) -> Vec<(&'static str, f64)> {
        vec![("exp_avg", 0.0)]
    }

    fn update(&self, now: &Moment<'_>, p: Tensor, g: &Tensor, memory: &[Tensor]) -> Result<(Tensor, Vec<Tensor>)> {
        let mixed = |beta: f64| memory[0].mul_scalar(beta)?.add(&g.mul_scalar(1.0 - beta)?);
        let p = p.sub(&mixed(self.betas[0])?.sign()?.mul_scalar(now.lr)?)?;
        Ok((p, vec![mixed(self.betas[1])?]))
    }
}
