//! y = 1 / x. dy/dx = −y². The gradient is multiplied by y twice, because y² alone may overflow or underflow where the
//! product does not.

use super::shorthand::{saved_or_recomputed, unary};
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Result, UnaryOp};

impl Tensor {
    /// 1 / x, element by element.
    pub fn recip(&self) -> Result<Tensor> {
        let y = unary("recip", UnaryOp::Recip, self)?;
        Ok(Tensor::record("recip", y.clone(), &[self], || {
            let x = self.clone();
            Rule::tensors(move |g, _| {
                let y = saved_or_recomputed(g, &y, || x.recip())?;
                Ok(vec![Some(g.mul(&y)?.mul(&y)?.neg()?)])
            })
        }))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("positive", |x| x[0].recip()).input_in([2, 3], 0.5, 2.0),
        Case::new("negative", |x| x[0].recip()).input_in([4], -3.0, -0.5),
    ]
}
