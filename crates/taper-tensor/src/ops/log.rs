//! y = ln x. dy/dx = 1 / x.

use super::shorthand::unary;
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Result, UnaryOp};

impl Tensor {
    /// ln x, element by element; −∞ at 0, NaN for x < 0.
    pub fn log(&self) -> Result<Tensor> {
        let y = unary("log", UnaryOp::Log, self)?;
        Ok(Tensor::record("log", y, &[self], || {
            let x = self.clone();
            Rule::tensors(move |g, _| Ok(vec![Some(g.div(&x)?)]))
        }))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("positive", |x| x[0].log()).input_in([2, 3], 0.5, 4.0)]
}
