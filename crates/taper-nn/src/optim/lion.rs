//! Lion (Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023, algorithm 2):
//!
//! c = β₁m + (1 − β₁)g; p ← p − lr · (sign(c) + λp); m ← β₂m + (1 − β₂)g

use super::{Decay, Moment, PerParameter, Rule, below_one, check_decays};
use taper_config::table;
use taper_tensor::{Result, Tensor};

/// The Lion optimiser.
pub type Lion = PerParameter<LionConfig>;

table! {
    /// The hyperparameters of [`Lion`]. The defaults are those of the paper's code, which recommends a third to a tenth of
    /// AdamW's learning rate, and three to ten times its weight decay.
    #[derive(Copy)]
    pub struct LionConfig {
        /// The learning rate.
        lr: f64 = 1e-4, ordinary();
        /// Decay rates of the first and second moment.
        ///
        /// β₁ is that of the step, β₂ that of the momentum that is stored.
        betas: [f64; 2] = [0.9, 0.99], each("two numbers, 0 or more and below 1", below_one);
        /// Weight decay (L2 penalty).
        weight_decay: f64 = 0.0, ordinary_or_zero();
        /// L1 penalty.
        ///
        /// ρ · sign(p) is added to the gradient.
        l1: f64 = 0.0, ordinary_or_zero();
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
