//! y = sin x. dy/dx = cos x.

use super::shorthand::unary;
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Result, UnaryOp};

impl Tensor {
    /// sin x, element by element; x in radians.
    pub fn sin(&self) -> Result<Tensor> {
        let y = unary("sin", UnaryOp::Sin, self)?;
        Ok(Tensor::record("sin", y, &[self], || {
            let x = self.clone();
            Rule::tensors(move |g, _| Ok(vec![Some(g.mul(&x.cos()?)?)]))
        }))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("a period", |x| x[0].sin()).input_in([2, 3], -3.0, 3.0)]
}
