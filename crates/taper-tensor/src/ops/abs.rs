//! y = |x|. dy/dx = sign x, which is 0 at 0.

use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Result, UnaryOp};

impl Tensor {
    /// |x|, element by element, for floats and i64. The derivative at 0 is 0.
    pub fn abs(&self) -> Result<Tensor> {
        let y = self.device().unary(UnaryOp::Abs, self.buffer()?)?;
        Ok(Tensor::record("abs", y, &[self], || {
            let x = self.clone();
            Rule::tensors(move |g, _| Ok(vec![Some(g.mul(&x.sign()?)?)]))
        }))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("both signs", |x| x[0].abs()).values([4], vec![-2.0, -0.1, 0.3, 5.0]),
        Case::new("at 0", |x| x[0].abs()).values([3], vec![0.0, -1.0, 1.0]).subgradient(0, vec![0.0, -1.0, 1.0]),
    ]
}
