//! Adam (Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1) and AdamW (Loshchilov and
//! Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2), as PyTorch computes them:
//!
//! m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², p ← p − lr / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε)
//!
//! Adam adds weight decay λ to the gradient, g ← g + λp; AdamW shrinks the weights before the step, p ← p − lr · λ · p.

use super::{Decay, Moment, OptimizerInfo, PerParameter, Rule, below_one, check_decays, check_not_negative};
use taper_config::{Table, table};
use taper_tensor::{AdamSpec, Param, Result, Tensor};

/// The Adam optimiser, or AdamW with [`AdamConfig::adamw`].
pub type Adam = PerParameter<AdamConfig>;

table! {
    /// The hyperparameters of [`Adam`]. The defaults are PyTorch's.
    #[derive(Copy)]
    pub struct AdamConfig {
        /// The learning rate.
        lr: f64 = 1e-3, ordinary();
        /// Decay rates of the first and second moment.
        betas: [f64; 2] = [0.9, 0.999], each("two numbers, 0 or more and below 1", below_one);
        /// Added to the denominator to avoid a division by zero.
        eps: f64 = 1e-8, ordinary_or_zero();
        /// Weight decay (L2 penalty).
        weight_decay: f64 = 0.0, ordinary_or_zero();
        /// Whether weight decay is decoupled, as in AdamW.
        decoupled: bool = false, flag();
        /// L1 penalty.
        ///
        /// ρ · sign(p) is added to the gradient.
        l1: f64 = 0.0, ordinary_or_zero();
    }
}

impl AdamConfig {
    /// AdamW with PyTorch's defaults: those of Adam, and a decoupled weight decay of 0.01.
    pub fn adamw() -> Self {
        Self { weight_decay: 1e-2, decoupled: true, ..Self::default() }
    }
}

/// AdamW by name: Adam with other defaults.
pub(super) const ADAMW: OptimizerInfo = OptimizerInfo::of::<AdamConfig>("adamw")
    .over(|_| AdamConfig::adamw().keys_over(), |named, table| named.resolve_over(AdamConfig::adamw(), table));

impl Rule for AdamConfig {
    const NAME: &'static str = "adam";

    fn check(&self) -> Result<()> {
        check_not_negative(Self::NAME, "eps", self.eps)?;
        check_decays(Self::NAME, "betas", &self.betas)
    }

    fn lr(&self) -> f64 {
        self.lr
    }

    fn set_lr(&mut self, lr: f64) {
        self.lr = lr;
    }

    fn decay(&self) -> Decay {
        Decay { weight_decay: self.weight_decay, decoupled: self.decoupled, l1: self.l1 }
    }

    fn memory(&self) -> Vec<(&'static str, f64)> {
        vec![("exp_avg", 0.0), ("exp_avg_sq", 0.0)]
    }

    fn update(&self, now: &Moment<'_>, p: Tensor, g: &Tensor, memory: &[Tensor]) -> Result<(Tensor, Vec<Tensor>)> {
        let ([beta1, beta2], [m, v]) = (self.betas, [&memory[0], &memory[1]]);
        let m = m.add(&g.sub(m)?.mul_scalar(1.0 - beta1)?)?;
        let v = v.mul_scalar(beta2)?.add(&g.mul(g)?.mul_scalar(1.0 - beta2)?)?;
        let root = now.correction(beta2)?.sqrt()?.recip()?.cast(v.dtype())?;
        let step = now.correction(beta1)?.recip()?.mul_scalar(now.lr)?.cast(m.dtype())?;
        let denominator = v.sqrt()?.mul(&root)?.add_scalar(self.eps)?;
        let p = p.sub(&m.div(&denominator)?.mul(&step)?)?;
        Ok((p, vec![m, v]))
    }

    fn kernel(
        &self,
        now: &Moment<'_>,
        p: &Param,
        g: &Tensor,
        memory: &[Param],
        apply: Option<&Tensor>,
    ) -> Result<Option<()>> {
        let Self { betas: [beta1, beta2], eps, weight_decay, decoupled, .. } = *self;
        let spec = AdamSpec { lr: now.lr, beta1, beta2, eps, weight_decay, decoupled };
        let (device, g) = (g.device(), g.buffer()?);
        let (taken, flag) = (now.taken().buffer()?, apply.map(Tensor::buffer).transpose()?);
        let [m, v] = [&memory[0], &memory[1]];
        p.update(|p| m.update(|m| v.update(|v| device.adam_step(p, m, v, g, taken, flag, &spec))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composed_and_kernel_agree() -> Result<()> {
        let adam = AdamConfig { eps: 1e-3, weight_decay: 0.1, ..AdamConfig::default() };
        for config in [AdamConfig::default(), adam, AdamConfig { decoupled: true, ..adam }] {
            super::super::per_parameter::assert_composed_and_kernel_agree(config)?;
        }
        Ok(())
    }
}
