//! Whether any, or all, of the elements over axes are not 0: 1 or 0, as u8. There is no gradient.

use crate::Tensor;
use crate::gradcheck::Case;
use taper_backend::{DType, Result};

impl Tensor {
    /// 1 where any element over `axes` (−1 is the last; none means all) is not 0; NaN is not 0. Over no elements 0. With
    /// `keepdim` the axes are kept with size 1, else removed. For every dtype.
    pub fn any(&self, axes: &[isize], keepdim: bool) -> Result<Tensor> {
        self.shape().axes("any", axes)?;
        holds_somewhere(&self.ne_scalar(0.0)?, axes, keepdim)
    }

    /// 1 where all elements over `axes` (−1 is the last; none means all) are not 0; NaN is not 0. Over no elements 1.
    /// With `keepdim` the axes are kept with size 1, else removed. For every dtype.
    pub fn all(&self, axes: &[isize], keepdim: bool) -> Result<Tensor> {
        self.shape().axes("all", axes)?;
        holds_somewhere(&self.eq_scalar(0.0)?, axes, keepdim)?.eq_scalar(0.0)
    }
}

/// A sum of zeros and ones in f32 is 0 only when all are, however it is rounded.
fn holds_somewhere(mask: &Tensor, axes: &[isize], keepdim: bool) -> Result<Tensor> {
    mask.cast(DType::F32)?.sum(axes, keepdim)?.ne_scalar(0.0)
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("any", |x| x[0].any(&[0], true)?.cast(DType::F64)).input([2, 3]).zero_gradient(0),
        Case::new("all", |x| x[0].all(&[], false)?.cast(DType::F64)).input([2, 3]).zero_gradient(0),
    ]
}
