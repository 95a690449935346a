//! LAMB (You et al., "Large batch optimization for deep learning: training BERT in 76 minutes", ICLR 2020, algorithm 2,
//! with φ(z) = z):
//!
//! m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², r = m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε),
//! p ← p − lr · ‖p‖ / ‖r + λp‖ · (r + λp)
//!
//! Where either norm is 0 the ratio is 1, as in the authors' code: weights that start as 0 would otherwise stay 0.

use super::quotient::Quotient;
use super::{Decay, Moment, PerParameter, Rule, below_one, check_decays, check_not_negative};
use taper_config::table;
use taper_tensor::{Result, Tensor};

/// The LAMB optimiser.
pub type Lamb = PerParameter<LambConfig>;

table! {
    /// The hyperparameters of [`Lamb`]. Betas and eps are the paper's by default.
    #[derive(Copy)]
    pub struct LambConfig {
        /// The learning rate.
        lr: f64 = 1e-3, ordinary();
        /// Decay rates of the first and second moment.
        betas: [f64; 2] = [0.9, 0.999], each("two numbers, 0 or more and below 1", below_one);
        /// Added to the denominator to avoid a division by zero.
        eps: f64 = 1e-6, ordinary_or_zero();
        /// Weight decay (L2 penalty).
        weight_decay: f64 = 0.0, ordinary_or_zero();
        /// L1 penalty.
        ///
        /// ρ · sign(p) is added to the gradient.
        l1: f64 = 0.0, ordinary_or_zero();
    }
}

impl Rule for LambConfig {
    const NAME: &'static str = "lamb";

    fn check(&self) -> Result<()> {
        check_not_negative(Self::NAME, "eps", self.eps)?;
        check_not_negative(Self::NAME, "weight_decay", self.weight_decay)?;
        check_decays(Self::NAME, "betas", &self.betas)
    }

    fn lr(&self) -> f64 {
        self.lr
    }

    fn set_lr(&mut self, lr: f64) {
        self.lr = lr;
    }

    fn decay(&self) -> Decay {
        // `update` applies weight decay itself, because the norm in the ratio includes it.
        Decay { l1: self.l1, ..Decay::default() }
    }

    fn memory(&self) -> Vec<(&'static str, f64)> {
        vec![("exp_avg", 0.0), ("exp_avg_sq", 0.0)]
    }

    fn update(&self, now: &Moment<'_>, p: Tensor, g: &Tensor, memory: &[Tensor]) -> Result<(Tensor, Vec<Tensor>)> {
        let ([beta1, beta2], [m, v]) = (self.betas, [&memory[0], &memory[1]]);
        let m = m.mul_scalar(beta1)?.add(&g.mul_scalar(1.0 - beta1)?)?;
        let v = v.mul_scalar(beta2)?.add(&g.mul(g)?.mul_scalar(1.0 - beta2)?)?;
        let scale = |beta: f64| now.correction(beta)?.recip()?.cast(p.dtype());
        let denominator = v.mul(&scale(beta2)?)?.sqrt()?.add_scalar(self.eps)?;
        let mut r = m.mul(&scale(beta1)?)?.div(&denominator)?;
        if self.weight_decay != 0.0 {
            r = r.add(&p.mul_scalar(self.weight_decay)?)?;
        }
        let step = trust(&p.norm_all()?, &r.norm_all()?, now.lr)?.times(&r)?;
        Ok((p.sub(&step)?, vec![m, v]))
    }
}

/// lr · ‖p‖ / ‖r‖, or lr where one of them is 0.
fn trust(of_p: &Tensor, of_r: &Tensor, lr: f64) -> Result<Quotient> {
    let one = Tensor::ones([], of_p.dtype(), of_p.device())?;
    let of_p_and_r = |of: &Tensor| of_p.gt_scalar(0.0)?.select(&of_r.gt_scalar(0.0)?.select(of, &one)?, &one);
    Quotient::new(&of_p_and_r(of_p)?.mul_scalar(lr)?, &of_p_and_r(of_r)?)
}
