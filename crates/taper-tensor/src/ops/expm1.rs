//! y = eˣ − 1. dy/dx = eˣ.

use super::shorthand::unary;
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Result, UnaryOp};

impl Tensor {
    /// eˣ − 1, element by element, exact near 0.
    pub fn expm1(&self) -> Result<Tensor> {
        let y = unary("expm1", UnaryOp::Expm1, self)?;
        Ok(Tensor::record("expm1", y, &[self], || {
            let x = self.clone();
            Rule::tensors(move |g, _| Ok(vec![Some(g.mul(&x.exp()?)?)]))
        }))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("around 0", |x| x[0].expm1()).input([2, 3]),
        Case::new("near 0, large and small", |x| x[0].expm1()).values([4], vec![1e-9, -1e-12, 5.0, -30.0]),
    ]
}
