//! y = −1, 0 or 1, the sign of x. The derivative is 0 where x ≠ 0, and defined as 0 at 0.

use super::shorthand::step;
use crate::Tensor;
use crate::gradcheck::Case;
use taper_backend::{Result, UnaryOp};

impl Tensor {
    /// The sign of each element, −1, 0 or 1, for floats and i64; NaN stays. The gradient is 0.
    pub fn sign(&self) -> Result<Tensor> {
        Ok(step("sign", self, self.device().unary(UnaryOp::Sign, self.buffer()?)?))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("both signs", |x| x[0].sign()).values([4], vec![-2.0, -0.1, 0.3, 5.0]).zero_gradient(0)]
}
