//! Variances over axes, Σ (x − x̄)² / (n − correction), and their roots, the standard deviations.

use super::shorthand::{in_f32, is_half};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::{Error, Result};

impl Tensor {
    /// The variance over `axes` (−1 is the last; none means all). `correction` is subtracted from the number of
    /// elements in the divisor: 1 for the unbiased estimate, 0 for the biased one; an error unless there are more
    /// elements. With `keepdim` the axes are kept with size 1, else removed.
    pub fn var(&self, axes: &[isize], correction: usize, keepdim: bool) -> Result<Tensor> {
        let divisor = divisor("var", self, axes, correction)?;
        if is_half(self) {
            return in_f32(self, |x| x.var(axes, correction, keepdim));
        }
        let centred = self.sub(&self.mean(axes, true)?)?;
        let squares = centred.mul(&centred)?.sum(axes, keepdim)?;
        squares.div_scalar(divisor)
    }

    /// The standard deviation over `axes`: the root of [`Tensor::var`], which may be larger or smaller than the dtype
    /// holds. The gradient where all elements are equal is 0, as in PyTorch.
    pub fn std(&self, axes: &[isize], correction: usize, keepdim: bool) -> Result<Tensor> {
        let divisor = divisor("std", self, axes, correction)?;
        if is_half(self) {
            return in_f32(self, |x| x.std(axes, correction, keepdim));
        }
        self.sub(&self.mean(axes, true)?)?.norm(2.0, axes, keepdim)?.div_scalar(divisor.sqrt())
    }
}

/// n − correction, for the n elements over `axes`; an error unless it is over 0.
fn divisor(op: &'static str, x: &Tensor, axes: &[isize], correction: usize) -> Result<f64> {
    check::float(op, x)?;
    let found = x.shape().axes(op, axes)?;
    let count: usize = found.iter().map(|&axis| x.shape()[axis]).product();
    if count > correction {
        return Ok((count - correction) as f64);
    }
    let detail = format!(
        "{count} elements (axes {found:?} of {}) less a correction of {correction} leave nothing to divide by",
        x.shape()
    );
    Err(Error::argument(op, detail))
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("all, unbiased", |x| x[0].var(&[], 1, false)).input([2, 3]),
        Case::new("the last axis, biased", |x| x[0].var(&[-1], 0, false)).input([2, 3]),
        Case::new("channels of pictures, kept", |x| x[0].var(&[0, 2, 3], 1, true)).input([2, 3, 2, 2]),
        Case::new("std of all, unbiased", |x| x[0].std(&[], 1, false)).input([2, 3]),
        Case::new("std of the last axis, biased, kept", |x| x[0].std(&[-1], 0, true)).input([2, 3]),
        Case::new("std of equal elements", |x| x[0].std(&[], 1, false))
            .values([3], vec![1.5; 3])
            .subgradient(0, vec![0.0; 3])
            .zero_gradient(0),
    ]
}
