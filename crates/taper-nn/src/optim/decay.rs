//! Regularisation that pulls weights towards 0, for every optimiser: L2 weight decay, g ← g + λp; decoupled weight
//! decay, p ← p − lr · λ · p (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019); L1, g ← g + ρ
//! · sign(p).

use super::check_not_negative;
use taper_tensor::{Result, Tensor};

/// The regularisation of an optimiser: weight decay and L1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Decay {
    /// λ, weight decay; at least 0.
    pub weight_decay: f64,
    /// Whether weight decay shrinks the weights before the step, instead of being added to the gradient.
    pub decoupled: bool,
    /// ρ, L1: ρ · sign(p) is added to the gradient; at least 0.
    pub l1: f64,
}

impl Decay {
    pub(super) fn check(&self, op: &'static str) -> Result<()> {
        check_not_negative(op, "weight_decay", self.weight_decay)?;
        check_not_negative(op, "l1", self.l1)
    }

    /// The gradient with the L1 term added.
    pub(super) fn with_l1(&self, g: &Tensor, p: &Tensor) -> Result<Tensor> {
        if self.l1 == 0.0 { Ok(g.clone()) } else { g.add(&p.sign()?.mul_scalar(self.l1)?) }
    }

    /// The weights and the gradient, with weight decay applied to one of them.
    pub(super) fn with_weight_decay(&self, p: Tensor, g: Tensor, lr: f64) -> Result<(Tensor, Tensor)> {
        if self.weight_decay == 0.0 {
            Ok((p, g))
        } else if self.decoupled {
            Ok((p.mul_scalar(1.0 - lr * self.weight_decay)?, g))
        } else {
            let g = g.add(&p.mul_scalar(self.weight_decay)?)?;
            Ok((p, g))
        }
    }
}
