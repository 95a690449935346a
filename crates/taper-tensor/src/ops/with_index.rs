//! The largest or smallest element along an axis, and its index. The gradient goes to the element at that index alone.

use super::max::not_empty;
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::no_grad;
use taper_backend::{DType, Result};

impl Tensor {
    /// The largest element along `axis` (−1 is the last), and its index (i64): of equal elements the first, which alone
    /// gets the gradient, as PyTorch's `max(dim)`; a NaN counts as largest. With `keepdim` the axis is kept with size 1,
    /// else removed. An error when the axis is empty.
    pub fn max_with_index(&self, axis: isize, keepdim: bool) -> Result<(Tensor, Tensor)> {
        at(self, axis, keepdim, self.argmax(axis, true)?)
    }

    /// The smallest element along `axis` (−1 is the last), and its index, as [`Tensor::max_with_index`]; a NaN counts as
    /// smallest.
    pub fn min_with_index(&self, axis: isize, keepdim: bool) -> Result<(Tensor, Tensor)> {
        at(self, axis, keepdim, self.argmin(axis, true)?)
    }

    /// The index (i64) of the smallest element along `axis` (−1 is the last): of equal elements the first; a NaN counts
    /// as smallest. With `keepdim` the axis is kept with size 1, else removed. An error when the axis is empty.
    pub fn argmin(&self, axis: isize, keepdim: bool) -> Result<Tensor> {
        not_empty("argmin", self, self.shape().axis("argmin", axis)?)?;
        no_grad(|| {
            let negated = match self.dtype() {
                DType::U8 => self.cast(DType::I64)?.neg()?,
                // −x − 1, so that the smallest integer, which has no negative, is the largest too.
                DType::I64 => self.neg()?.add_scalar(-1.0)?,
                _ => self.neg()?,
            };
            negated.argmax(axis, keepdim)
        })
    }
}

fn at(x: &Tensor, axis: isize, keepdim: bool, index: Tensor) -> Result<(Tensor, Tensor)> {
    let value = x.gather(axis, &index)?;
    if keepdim { Ok((value, index)) } else { Ok((value.squeeze(axis)?, index.squeeze(axis)?)) }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("the largest", |x| x[0].max_with_index(-1, false)?.0.exp()).input([3, 4]),
        Case::new("the smallest, kept", |x| x[0].min_with_index(0, true)?.0.exp()).input([3, 4]),
        Case::new("of equals the first", |x| x[0].max_with_index(0, false)?.0.add(&x[0].min_with_index(0, false)?.0))
            .values([4], vec![1.0, 2.0, 2.0, 1.0])
            .subgradient(0, vec![1.0, 1.0, 0.0, 0.0]),
        Case::new("an index has no gradient", |x| x[0].argmin(0, false)?.cast(DType::F64)).input([4]).zero_gradient(0),
    ]
}
