//! Means over axes: the sum divided by the number of elements.

use super::shorthand::{in_f32, is_half};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::Result;

impl Tensor {
    /// The mean over `axes` (−1 is the last; none means all). With `keepdim` the axes are kept with size 1, else
    /// removed. The mean of no elements is NaN.
    pub fn mean(&self, axes: &[isize], keepdim: bool) -> Result<Tensor> {
        check::float("mean", self)?;
        let count: usize = self.shape().axes("mean", axes)?.iter().map(|&axis| self.shape()[axis]).product();
        if is_half(self) {
            return in_f32(self, |x| x.mean(axes, keepdim));
        }
        self.sum(axes, keepdim)?.div_scalar(count as f64)
    }

    /// The mean of all elements, a scalar.
    pub fn mean_all(&self) -> Result<Tensor> {
        self.mean(&[], false)
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("all", |x| x[0].mean_all()).input([2, 3]),
        Case::new("the last axis", |x| x[0].mean(&[-1], false)).input([2, 3]),
        Case::new("channels of pictures, kept", |x| x[0].mean(&[0, 2, 3], true)).input([2, 3, 2, 2]),
        Case::new("a scalar", |x| x[0].mean_all()).input([]),
    ]
}
