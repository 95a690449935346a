//! RMSprop (Hinton, "Neural networks for machine learning", lecture 6e, 2012; centred as in Graves, "Generating
//! sequences with recurrent neural networks", 2013, equations 38 to 41), as PyTorch computes it:
//!
//! v ← αv + (1 − α)g²; d = g / (√v + ε); u ← μu + d; p ← p − lr · u, or p − lr · d without momentum.
//!
//! Centred: m ← αm + (1 − α)g, and √(v − m²) in the place of √v.

use super::{Decay, Moment, PerParameter, Rule, check_decays, check_not_negative};
use taper_config::table;
use taper_tensor::{Result, Tensor};

/// The RMSprop optimiser.
pub type Rmsprop = PerParameter<RmspropConfig>;

table! {
    /// The hyperparameters of [`Rmsprop`]. The defaults are PyTorch's.
    #[derive(Copy)]
    pub struct RmspropConfig {
        /// The learning rate.
        lr: f64 = 1e-2, ordinary();
        /// Decay rate of RMSprop's mean square.
        alpha: f64 = 0.99, fraction();
        /// Added to the denominator to avoid a division by zero.
        eps: f64 = 1e-8, ordinary_or_zero();
        /// Momentum: decay rate of the velocity.
        momentum: f64 = 0.0, fraction();
        /// Whether RMSprop is centred.
        ///
        /// The gradient is then normalised by its variance instead of its mean square.
        centered: bool = false, flag();
        /// Weight decay (L2 penalty).
        weight_decay: f64 = 0.0, ordinary_or_zero();
        /// L1 penalty.
        ///
        /// ρ · sign(p) is added to the gradient.
        l1: f64 = 0.0, ordinary_or_zero();
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
