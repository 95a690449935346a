//! y = √x. dy/dx = 1 / (2y).

use super::shorthand::{saved_or_recomputed, unary};
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Result, UnaryOp};

impl Tensor {
    /// √x, element by element; NaN for x < 0. The gradient at 0 is infinite.
    pub fn sqrt(&self) -> Result<Tensor> {
        let y = unary("sqrt", UnaryOp::Sqrt, self)?;
        Ok(Tensor::record("sqrt", y.clone(), &[self], || {
            let x = self.clone();
            Rule::tensors(move |g, _| {
                let y = saved_or_recomputed(g, &y, || x.sqrt())?;
                Ok(vec![Some(g.div(&y.mul_scalar(2.0)?)?)])
            })
        }))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("positive", |x| x[0].sqrt()).input_in([2, 3], 0.5, 4.0)]
}
