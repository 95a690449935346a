//! Reversal along axes. The gradient is reversed the same way.

use super::shorthand::linear;
use crate::Tensor;
use crate::gradcheck::Case;
use crate::patterns::places;
use taper_backend::Result;

impl Tensor {
    /// The elements in the opposite order along each of `axes` (−1 is the last; none leaves all as it is).
    pub fn flip(&self, axes: &[isize]) -> Result<Tensor> {
        if axes.is_empty() {
            return Ok(self.clone());
        }
        let found = self.shape().axes("flip", axes)?;
        let axes = axes.to_vec();
        let value = || {
            found.into_iter().try_fold(self.clone(), |x, axis| {
                let size = x.shape()[axis];
                let backwards = places(size, x.device())?.neg()?.add_scalar(size as f64 - 1.0)?;
                x.index_select(axis as isize, &backwards)
            })
        };
        linear("flip", self, value, move |g| g.flip(&axes))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("the last axis", |x| x[0].flip(&[-1])).input([2, 3]),
        Case::new("two of three", |x| x[0].flip(&[0, 2])).input([2, 3, 4]),
        Case::new("none", |x| x[0].flip(&[])?.mul(&x[0])).input([3]),
    ]
}
