//! y = −x. dy/dx = −1.

use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Result, UnaryOp};

impl Tensor {
    /// −x, element by element, for floats and i64.
    pub fn neg(&self) -> Result<Tensor> {
        let y = self.device().unary(UnaryOp::Neg, self.buffer()?)?;
        Ok(Tensor::record("neg", y, &[self], || Rule::tensors(|g, _| Ok(vec![Some(g.neg()?)]))))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("a matrix", |x| x[0].neg()).input([2, 3]), Case::new("a scalar", |x| x[0].neg()).input([])]
}
