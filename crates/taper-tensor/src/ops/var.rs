//! Variances over axes: Σ (x − x̄)² / (n − correction).

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
        check::float("var", self)?;
        let found = self.shape().axes("var", axes)?;
        let count: usize = found.iter().map(|&axis| self.shape()[axis]).product();
        if count <= correction {
            let detail = format!(
                "{count} elements (axes {found:?} of {}) less a correction of {correction} leave nothing to divide by",
                self.shape()
            );
            return Err(Error::argument("var", detail));
        }
        if is_half(self) {
            return in_f32(self, |x| x.var(axes, correction, keepdim));
        }
        let centred = self.sub(&self.mean(axes, true)?)?;
        let squares = centred.mul(&centred)?.sum(axes, keepdim)?;
        squares.div_scalar((count - correction) as f64)
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("all, unbiased", |x| x[0].var(&[], 1, false)).input([2, 3]),
        Case::new("the last axis, biased", |x| x[0].var(&[-1], 0, false)).input([2, 3]),
        Case::new("channels of pictures, kept", |x| x[0].var(&[0, 2, 3], 1, true)).input([2, 3, 2, 2]),
    ]
}
