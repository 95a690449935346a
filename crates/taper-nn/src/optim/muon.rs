//! Muon (Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024): momentum, with an
//! orthogonalised update. A weight `[out, …]` is treated as a matrix of `out` rows:
//!
//! u ← μu + g; d = g + μu with Nesterov momentum, else d = u; p ← p − lr · s · NS(d)
//!
//! NS(d) is the Newton–Schulz iteration: X = d / (‖d‖ + ε), then `ns_steps` times X ← aX + (bA + cA²)X with A = XXᵀ,
//! which takes all singular values near 1. A matrix with more rows than columns is transposed first and back at the
//! end, so that A is as small as possible. s is the factor of [`AdjustLr`].
//!
//! PyTorch stores (1 − μ)u instead of u, and computes NS in bfloat16. The first makes no difference, because NS divides
//! by ‖d‖.

use super::quotient::Quotient;
use super::{Decay, Moment, OptimizerInfo, PerParameter, Rule, check_decays, check_not_negative, wide};
use taper_config::serde::{Deserialize, Serialize};
use taper_config::{Named, Table, table};
use taper_tensor::{DType, Error, Param, Result, Tensor};

/// The Muon optimiser, for parameters of two dimensions or more. Biases and other vectors need another optimiser: see
/// [`super::Groups`].
pub type Muon = PerParameter<MuonConfig>;

table! {
    /// The hyperparameters of [`Muon`]. The defaults are PyTorch's.
    #[derive(Copy)]
    pub struct MuonConfig {
        /// The learning rate.
        lr: f64 = 1e-3, ordinary();
        /// Momentum: decay rate of the velocity.
        momentum: f64 = 0.95, fraction();
        /// Whether momentum is Nesterov's.
        nesterov: bool = true, flag();
        /// Added to the denominator to avoid a division by zero.
        eps: f64 = 1e-7, ordinary_or_zero();
        /// Newton-Schulz iterations of Muon.
        ns_steps: usize = 5, integer(1..=99);
        /// Coefficients of the Newton-Schulz iteration.
        ns_coefficients: [f64; 3] = [3.4445, -4.7750, 2.0315], each("three numbers from -1e37 to 1e37", |a: &f64| {
            a.abs() <= 1e37
        });
        /// Factor on Muon's learning rate by the shape of the weight.
        adjust_lr: AdjustLr = AdjustLr::Original, any("none, original, match-rms-adamw or spectral-unclamped");
        /// Whether Muon scales each weight first, as airbench does.
        ///
        /// To ‖p‖ = √out, before the step. It goes without weight decay. Where it is set, the other defaults are those of
        /// [`MuonConfig::airbench`].
        normalize_weights: bool = false, flag();
        /// Weight decay (L2 penalty).
        weight_decay: f64 = 0.1, ordinary_or_zero();
        /// L1 penalty.
        ///
        /// ρ · sign(p) is added to the gradient.
        l1: f64 = 0.0, ordinary_or_zero();
    }
}

/// The factor s on Muon's learning rate for a matrix `[out, in]`: PyTorch's `adjust_lr_fn`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(crate = "taper_config::serde", rename_all = "kebab-case")]
pub enum AdjustLr {
    /// 1: no adjustment.
    None,
    /// √max(1, out / in), Jordan's.
    #[default]
    Original,
    /// 0.2 √max(out, in): steps as large as AdamW's (Liu et al., "Muon is scalable for LLM training", 2025).
    MatchRmsAdamw,
    /// √(out / in) (Bernstein, "Deriving Muon", 2025).
    SpectralUnclamped,
}

impl AdjustLr {
    fn factor(self, [out, inputs]: [usize; 2]) -> f64 {
        let (out, inputs) = (out as f64, inputs as f64);
        match self {
            Self::None => 1.0,
            Self::Original => (out / inputs).max(1.0).sqrt(),
            Self::MatchRmsAdamw => 0.2 * out.max(inputs).sqrt(),
            Self::SpectralUnclamped => (out / inputs).sqrt(),
        }
    }
}

/// Muon by name. One that normalises its weights has airbench's defaults.
pub(super) const MUON: OptimizerInfo = OptimizerInfo::of::<MuonConfig>("muon")
    .over(|named| base(named).keys_over(), |named, table| named.resolve_over(base(named), table));

fn base(named: &Named) -> MuonConfig {
    let airbench = named.rest.get("normalize_weights").and_then(|value| value.as_bool()) == Some(true);
    if airbench { MuonConfig::airbench() } else { MuonConfig::default() }
}

impl MuonConfig {
    /// As in `airbench94_muon.py`: lr 0.24, momentum 0.6, 3 iterations, weights rescaled, no weight decay.
    pub fn airbench() -> Self {
        Self {
            lr: 0.24,
            momentum: 0.6,
            ns_steps: 3,
            adjust_lr: AdjustLr::None,
            normalize_weights: true,
            weight_decay: 0.0,
            ..Self::default()
        }
    }

    /// NS(d) for d of shape `[m, n]`.
    fn orthogonal(&self, d: &Tensor) -> Result<Tensor> {
        let [a, b, c] = self.ns_coefficients;
        let tall = d.shape()[0] > d.shape()[1];
        let one = Tensor::ones([], DType::F64, d.device())?;
        let mut x = Quotient::new(&one, &d.norm_all()?.add_scalar(self.eps)?)?.times(d)?;
        if tall {
            x = x.transpose(0, 1)?;
        }
        for _ in 0..self.ns_steps {
            let gram = x.matmul_t(&x, [false, true])?;
            let polynomial = gram.mul_scalar(b)?.add(&gram.matmul(&gram)?.mul_scalar(c)?)?;
            x = x.mul_scalar(a)?.add(&polynomial.matmul(&x)?)?;
        }
        if tall { x.transpose(0, 1) } else { Ok(x) }
    }
}

impl Rule for MuonConfig {
    const NAME: &'static str = "muon";

    fn check(&self) -> Result<()> {
        check_decays(Self::NAME, "momentum", &[self.momentum])?;
        check_not_negative(Self::NAME, "eps", self.eps)?;
        if !(1..100).contains(&self.ns_steps) {
            return Err(Error::argument(Self::NAME, format!("ns_steps must be 1 to 99, came as {}", self.ns_steps)));
        }
        if let Some(bad) = self.ns_coefficients.iter().find(|number| !number.is_finite()) {
            return Err(Error::argument(Self::NAME, format!("ns_coefficients must be numbers, one came as {bad}")));
        }
        if self.normalize_weights && self.weight_decay != 0.0 {
            let detail = "normalize_weights undoes weight_decay: set one of the two";
            return Err(Error::argument(Self::NAME, detail));
        }
        Ok(())
    }

    fn check_param(&self, param: &Param) -> Result<()> {
        let shape = param.tensor().shape().clone();
        if shape.rank() >= 2 && shape.count() > 0 {
            return Ok(());
        }
        let detail = format!("{} is {shape}, expected two dimensions or more: give it another optimiser", param.name());
        Err(Error::argument(Self::NAME, detail))
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
        vec![("momentum_buffer", 0.0)]
    }

    fn update(&self, now: &Moment<'_>, mut p: Tensor, g: &Tensor, memory: &[Tensor]) -> Result<(Tensor, Vec<Tensor>)> {
        let (shape, dtype) = (p.shape().clone(), p.dtype());
        let matrix = [shape[0], shape.count() / shape[0]];
        let u = memory[0].mul_scalar(self.momentum)?.add(g)?;
        let d = if self.nesterov { g.add(&u.mul_scalar(self.momentum)?)? } else { u.clone() };
        if self.normalize_weights {
            p = to_norm(&p, (shape[0] as f64).sqrt())?.times(&p)?;
        }
        let step = self.orthogonal(&d.reshape(matrix)?.cast(wide(dtype))?)?.cast(dtype)?.reshape(shape)?;
        Ok((p.sub(&step.mul_scalar(now.lr * self.adjust_lr.factor(matrix))?)?, vec![u]))
    }
}

/// The factor that scales p to ‖p‖ = `size`; 1 where p is 0.
fn to_norm(p: &Tensor, size: f64) -> Result<Quotient> {
    let norm = p.norm_all()?;
    let one = Tensor::ones([], norm.dtype(), norm.device())?;
    let otherwise = |of: &Tensor| norm.gt_scalar(0.0)?.select(of, &one);
    Quotient::new(&otherwise(&one.mul_scalar(size)?)?, &otherwise(&norm)?)
}
