//! Adagrad (Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization",
//! JMLR 2011, figure 1, diagonal), as PyTorch computes it, with t from 1:
//!
//! s ← s + g²; p ← p − lr / (1 + (t − 1)η) · g / (√s + ε)

use super::{Decay, Moment, PerParameter, Rule, check_not_negative};
use taper_tensor::{DType, Result, Tensor};

/// The Adagrad optimiser.
pub type Adagrad = PerParameter<AdagradConfig>;

/// The hyperparameters of [`Adagrad`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdagradConfig {
    /// The learning rate; at least 0.
    pub lr: f64,
    /// η, the decay of the learning rate over the steps; at least 0.
    pub lr_decay: f64,
    /// The initial value of the sum of squares s; at least 0.
    pub initial: f64,
    /// ε, added to the root; at least 0.
    pub eps: f64,
    /// λ, weight decay: λp is added to the gradient; at least 0.
    pub weight_decay: f64,
    /// ρ, L1: ρ · sign(p) is added to the gradient; at least 0.
    pub l1: f64,
}

impl Default for AdagradConfig {
    /// PyTorch's: lr 1e-2, eps 1e-10, everything else 0.
    fn default() -> Self {
        Self { lr: 1e-2, lr_decay: 0.0, initial: 0.0, eps: 1e-10, weight_decay: 0.0, l1: 0.0 }
    }
}

impl Rule for AdagradConfig {
    const NAME: &'static str = "adagrad";

    fn check(&self) -> Result<()> {
        check_not_negative(Self::NAME, "lr_decay", self.lr_decay)?;
        check_not_negative(Self::NAME, "initial", self.initial)?;
        check_not_negative(Self::NAME, "eps", self.eps)
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
        vec![("sum", self.initial)]
    }

    fn update(&self, now: &Moment<'_>, p: Tensor, g: &Tensor, memory: &[Tensor]) -> Result<(Tensor, Vec<Tensor>)> {
        let sum = memory[0].add(&g.mul(g)?)?;
        let direction = g.div(&sum.sqrt()?.add_scalar(self.eps)?)?;
        let step = if self.lr_decay == 0.0 {
            direction.mul_scalar(now.lr)?
        } else {
            let slower = now.taken().cast(DType::F64)?.mul_scalar(self.lr_decay)?.add_scalar(1.0)?;
            direction.mul(&slower.recip()?.mul_scalar(now.lr)?.cast(g.dtype())?)?
        };
        Ok((p.sub(&step)?, vec![sum]))
    }
}
