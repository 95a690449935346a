//! Stochastic gradient descent with momentum, as PyTorch defines it (Sutskever et al., "On the importance of
//! initialization and momentum in deep learning", ICML 2013, in PyTorch's form):
//!
//! g ← g + λp; u ← μu + (1 − τ)g, u = g at first; p ← p − lr · u, or with Nesterov momentum p − lr · (g + μu).
//!
//! With decoupled weight decay it is SGDW (Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019,
//! algorithm 1): p ← p − lr · λ · p first, and nothing is added to g.

use super::{Decay, Moment, PerParameter, Rule, check_not_negative};
use taper_config::table;
use taper_tensor::{DType, Error, Param, Result, SgdSpec, Tensor};

/// Stochastic gradient descent.
pub type Sgd = PerParameter<SgdConfig>;

table! {
    /// The hyperparameters of [`Sgd`]. The defaults are PyTorch's.
    #[derive(Copy)]
    pub struct SgdConfig {
        /// The learning rate.
        lr: f64 = 1e-3, ordinary();
        /// Momentum: decay rate of the velocity.
        momentum: f64 = 0.0, fraction();
        /// Dampening of momentum: the velocity takes the gradient times 1 - this.
        dampening: f64 = 0.0, number(-1e37..=1e37);
        /// Whether momentum is Nesterov's.
        ///
        /// It needs a momentum over 0 and no dampening.
        nesterov: bool = false, flag();
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

impl Rule for SgdConfig {
    const NAME: &'static str = "sgd";

    fn check(&self) -> Result<()> {
        check_not_negative(Self::NAME, "momentum", self.momentum)?;
        if !self.dampening.is_finite() {
            return Err(Error::argument(Self::NAME, format!("dampening must be a number, came as {}", self.dampening)));
        }
        if self.nesterov && (self.momentum == 0.0 || self.dampening != 0.0) {
            let detail = "nesterov needs a momentum over 0 and a dampening of 0";
            return Err(Error::argument(Self::NAME, detail));
        }
        Ok(())
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
        if self.momentum == 0.0 { vec![] } else { vec![("momentum_buffer", 0.0)] }
    }

    fn update(&self, now: &Moment<'_>, p: Tensor, g: &Tensor, memory: &[Tensor]) -> Result<(Tensor, Vec<Tensor>)> {
        let Some(velocity) = memory.first() else { return Ok((p.sub(&g.mul_scalar(now.lr)?)?, vec![])) };
        let mut u = velocity.mul_scalar(self.momentum)?.add(&g.mul_scalar(1.0 - self.dampening)?)?;
        if self.dampening != 0.0 {
            // Without dampening the first velocity is g anyway, because the velocity starts as 0.
            let later = now.taken().gt(&Tensor::zeros([], DType::I64, g.device())?)?;
            u = later.select(&u, g)?;
        }
        let direction = if self.nesterov { g.add(&u.mul_scalar(self.momentum)?)? } else { u.clone() };
        Ok((p.sub(&direction.mul_scalar(now.lr)?)?, vec![u]))
    }

    fn kernel(
        &self,
        now: &Moment<'_>,
        p: &Param,
        g: &Tensor,
        memory: &[Param],
        apply: Option<&Tensor>,
    ) -> Result<Option<()>> {
        let Self { momentum, dampening, weight_decay, nesterov, .. } = *self;
        if self.decoupled && weight_decay != 0.0 {
            return Ok(None); // the kernel adds weight decay to the gradient
        }
        let spec = SgdSpec { lr: now.lr, momentum, dampening, weight_decay, nesterov };
        let (device, g) = (g.device(), g.buffer()?);
        let (taken, flag) = (now.taken().buffer()?, apply.map(Tensor::buffer).transpose()?);
        p.update(|p| match memory.first() {
            Some(velocity) => velocity.update(|velocity| device.sgd_step(p, Some(velocity), g, taken, flag, &spec)),
            None => device.sgd_step(p, None, g, taken, flag, &spec),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composed_and_kernel_agree() -> Result<()> {
        let plain = SgdConfig { lr: 0.1, weight_decay: 0.05, ..SgdConfig::default() };
        let heavy = SgdConfig { momentum: 0.9, dampening: 0.2, ..plain };
        for config in [plain, heavy, SgdConfig { dampening: 0.0, nesterov: true, ..heavy }] {
            super::super::per_parameter::assert_composed_and_kernel_agree(config)?;
        }
        Ok(())
    }
}
