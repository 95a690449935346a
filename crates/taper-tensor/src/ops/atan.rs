//! y = arctan x. dy/dx = 1 / (1 + x²), without the square of a large x.

use super::shorthand::unary;
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Result, UnaryOp};

impl Tensor {
    /// arctan x, element by element, between −π/2 and π/2. That of a quotient, in all four quadrants, is
    /// [`Tensor::atan2`].
    pub fn atan(&self) -> Result<Tensor> {
        let y = unary("atan", UnaryOp::Atan, self)?;
        Ok(Tensor::record("atan", y, &[self], || {
            let x = self.clone();
            Rule::tensors(move |g, _| {
                // For |x| > 1, 1 / (1 + x²) = 1 / (1 + x⁻²) / x / x. What divides other x is 1.
                let large = x.abs()?.gt_scalar(1.0)?;
                let divisor = large.select(&x, &x.scalar_like(1.0)?)?;
                let small = large.select(&divisor.recip()?, &x)?;
                let near = small.mul(&small)?.add_scalar(1.0)?;
                Ok(vec![Some(g.div(&divisor)?.div(&divisor)?.div(&near)?)])
            })
        }))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("around 0", |x| x[0].atan()).input([2, 3]),
        Case::new("large and small", |x| x[0].atan()).values([5], vec![0.0, 1e-9, -1.5, 4.0, -30.0]),
    ]
}
