//! y = cos x. dy/dx = −sin x.

use super::shorthand::unary;
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Result, UnaryOp};

impl Tensor {
    /// cos x, element by element; x in radians.
    pub fn cos(&self) -> Result<Tensor> {
        let y = unary("cos", UnaryOp::Cos, self)?;
        Ok(Tensor::record("cos", y, &[self], || {
            let x = self.clone();
            Rule::tensors(move |g, _| Ok(vec![Some(g.mul(&x.sin()?.neg()?)?)]))
        }))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("a period", |x| x[0].cos()).input_in([2, 3], -3.0, 3.0)]
}
