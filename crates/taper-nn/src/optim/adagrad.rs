//! Adagrad (Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and stochastic optimization",
//! JMLR 2011, figure 1, diagonal), as PyTorch computes it, with t from 1:
//!
//! s ← s + g²; p ← p − lr / (1 + (t − 1)η) · g / (√s + ε)

use super::{Decay, Moment, PerParameter, Rule, check_not_negative};
use taper_config::table;
use taper_tensor::{DType, Result, Tensor};

/// The Adagrad optimiser.
pub type Adagrad = PerParameter<AdagradConfig>;

table! {
    /// The hyperparameters of [`Adagrad`]. The defaults are PyTorch's.
    #[derive(Copy)]
    pub struct AdagradConfig {
        /// The learning rate.
        lr: f64 = 1e-2, ordinary();
        /// Adagrad's learning-rate decay.
        lr_decay: f64 = 0.0, ordinary_or_zero();
        /// Initial value of Adagrad's sum of squares.
        initial: f64 = 0.0, ordinary_or_zero();
        /// Added to the denominator to avoid a division by zero.
        eps: f64 = 1e-10, ordinary_or_zero();
        /// Weight decay (L2 penalty).
        weight_decay: f64 = 0.0, ordinary_or_zero();
        /// L1 penalty.
        ///
        /// ρ · sign(p) is added to the gradient.
        l1: f64 = 0.0, ordinary_or_zero();
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
