//! y = ln(1 + x). dy/dx = 1 / (1 + x).

use super::shorthand::unary;
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Result, UnaryOp};

impl Tensor {
    /// ln(1 + x), element by element, exact near 0.
    pub fn log1p(&self) -> Result<Tensor> {
        let y = unary("log1p", UnaryOp::Log1p, self)?;
        Ok(Tensor::record("log1p", y, &[self], || {
            let x = self.clone();
            Rule::tensors(move |g, _| Ok(vec![Some(g.div(&x.add_scalar(1.0)?)?)]))
        }))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("around 0", |x| x[0].log1p()).input_in([2, 3], -0.5, 1.0),
        Case::new("near 0", |x| x[0].log1p()).values([3], vec![0.0, 1e-12, -1e-9]),
    ]
}
