//! φ(x) = e^(−x²/2) / √(2π), the density of the standard normal distribution. φ′ = −x φ.

use super::shorthand::{saved_or_recomputed, unary, within};
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Result, UnaryOp};

impl Tensor {
    /// φ(x), element by element, to full relative precision in the tails too.
    pub fn normal_pdf(&self) -> Result<Tensor> {
        let y = unary("normal_pdf", UnaryOp::NormalPdf, self)?;
        Ok(Tensor::record("normal_pdf", y.clone(), &[self], || {
            let x = self.clone();
            Rule::tensors(move |g, _| {
                let y = saved_or_recomputed(g, &y, || x.normal_pdf())?;
                Ok(vec![Some(g.mul(&y)?.mul(&within(&x, 1000.0)?.neg()?)?)])
            })
        }))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("around 0", |x| x[0].normal_pdf()).input_in([2, 3], -2.0, 2.0),
        Case::new("at 0 and in the tails", |x| x[0].normal_pdf()).values([3], vec![0.0, -5.0, 4.0]),
    ]
}
