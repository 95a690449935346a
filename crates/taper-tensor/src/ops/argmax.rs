//! The index of the largest element along an axis. An index has no gradient.

use super::max::not_empty;
use super::shorthand::plain;
use crate::Tensor;
use crate::gradcheck::Case;
use taper_backend::{DType, Result};

impl Tensor {
    /// The index (i64) of the largest element along `axis` (−1 is the last): of equal elements the first; a NaN counts
    /// as largest. With `keepdim` the axis is kept with size 1, else removed. An error when the axis is empty.
    pub fn argmax(&self, axis: isize, keepdim: bool) -> Result<Tensor> {
        let axis = self.shape().axis("argmax", axis)?;
        not_empty("argmax", self, axis)?;
        let y = plain(self, self.device().argmax(self.buffer()?, axis)?);
        if keepdim { Ok(y) } else { y.without_axes(&[axis]) }
    }
}

pub(super) fn cases() -> Vec<Case> {
    let case = |name: &str, axis| {
        let function = move |x: &[Tensor]| x[0].argmax(axis, axis == 0)?.cast(DType::F64);
        Case::new(name, function).input([3, 4]).zero_gradient(0)
    };
    vec![case("the last axis", -1), case("the first axis, kept", 0)]
}
