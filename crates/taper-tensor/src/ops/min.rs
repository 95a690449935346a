//! Minima over axes. The gradient is shared evenly among equal minima, as in PyTorch's `amin`.

use super::max::extreme;
use crate::Tensor;
use crate::gradcheck::Case;
use taper_backend::{ReduceOp, Result};

impl Tensor {
    /// The smallest element over `axes` (−1 is the last; none means all); NaN if any element is NaN. With `keepdim` the
    /// axes are kept with size 1, else removed. Equal minima share the gradient evenly. An error when an axis is empty.
    pub fn min(&self, axes: &[isize], keepdim: bool) -> Result<Tensor> {
        extreme("min", ReduceOp::Min, self, axes, keepdim)
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("all", |x| x[0].min(&[], false)).input([2, 3]),
        Case::new("the first axis", |x| x[0].min(&[0], false)).input([2, 3]),
        Case::new("equals share", |x| x[0].min(&[1], false))
            .values([2, 3], vec![1.0, 0.0, 0.0, 2.0, 2.0, 2.0])
            .subgradient(0, vec![0.0, 0.5, 0.5, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0]),
    ]
}
