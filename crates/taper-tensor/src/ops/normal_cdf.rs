//! Φ(x) = 1/√(2π) ∫₋∞ˣ e^(−t²/2) dt, the distribution function of the standard normal distribution. Φ′ = φ.

use super::shorthand::unary;
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Result, UnaryOp};

impl Tensor {
    /// Φ(x), element by element, to full relative precision in the lower tail too.
    pub fn normal_cdf(&self) -> Result<Tensor> {
        let y = unary("normal_cdf", UnaryOp::NormalCdf, self)?;
        Ok(Tensor::record("normal_cdf", y, &[self], || {
            let x = self.clone();
            Rule::tensors(move |g, _| Ok(vec![Some(g.mul(&x.normal_pdf()?)?)]))
        }))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("around 0", |x| x[0].normal_cdf()).input_in([2, 3], -2.0, 2.0),
        Case::new("at 0 and in the tails", |x| x[0].normal_cdf()).values([3], vec![0.0, -5.0, 4.0]),
    ]
}
