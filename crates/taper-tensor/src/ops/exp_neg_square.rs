//! y = e^(−x²). dy/dx = −2x y.

use super::shorthand::{saved_or_recomputed, unary, within};
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Result, UnaryOp};

impl Tensor {
    /// e^(−x²), element by element. Unlike `exp` of a square, whose rounding is multiplied by its size, it keeps its
    /// relative precision where it is tiny.
    pub fn exp_neg_square(&self) -> Result<Tensor> {
        let y = unary("exp_neg_square", UnaryOp::ExpNegSquare, self)?;
        Ok(Tensor::record("exp_neg_square", y.clone(), &[self], || {
            let x = self.clone();
            Rule::tensors(move |g, _| {
                let y = saved_or_recomputed(g, &y, || x.exp_neg_square())?;
                Ok(vec![Some(g.mul(&y)?.mul(&within(&x, 1000.0)?.mul_scalar(-2.0)?)?)])
            })
        }))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("around 0", |x| x[0].exp_neg_square()).input_in([2, 3], -2.0, 2.0),
        Case::new("at 0 and far out", |x| x[0].exp_neg_square()).values([3], vec![0.0, -3.5, 5.0]),
    ]
}
