//! y = ⌊x⌋. The derivative is 0 between the integers, and defined as 0 at them.

use super::shorthand::{step, unary};
use crate::Tensor;
use crate::gradcheck::Case;
use taper_backend::{Result, UnaryOp};

impl Tensor {
    /// The largest integer not above each element. The gradient is 0.
    pub fn floor(&self) -> Result<Tensor> {
        Ok(step("floor", self, unary("floor", UnaryOp::Floor, self)?))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new("between integers", |x| x[0].floor()).values([4], vec![-1.5, -0.2, 0.3, 7.9]).zero_gradient(0)]
}
