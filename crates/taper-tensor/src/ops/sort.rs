//! Sorting along an axis. The gradient of each sorted element goes back to the place that it came from.

use super::shorthand::plain;
use crate::Tensor;
use crate::gradcheck::Case;
use taper_backend::Result;

impl Tensor {
    /// The elements along `axis` (−1 is the last) in ascending order, or with `descending` in descending order, and the
    /// index (i64) that each had. Equal elements keep their order; a NaN counts as largest. `x.gather(axis, &index)` are
    /// the sorted elements.
    pub fn sort(&self, axis: isize, descending: bool) -> Result<(Tensor, Tensor)> {
        let index = order("sort", self, axis, descending)?;
        Ok((self.gather(axis, &index)?, index))
    }

    /// The indices (i64, of this tensor's shape) of [`Tensor::sort`] alone.
    pub fn argsort(&self, axis: isize, descending: bool) -> Result<Tensor> {
        order("argsort", self, axis, descending)
    }
}

/// The indices into `axis` in the order of the elements.
pub(super) fn order(op: &'static str, x: &Tensor, axis: isize, descending: bool) -> Result<Tensor> {
    let axis = x.shape().axis(op, axis)?;
    Ok(plain(x, x.device().argsort(x.buffer()?, axis, descending)?))
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("the last axis", |x| x[0].sort(-1, false)?.0.mul(&x[1])).input([2, 4]).input([2, 4]),
        Case::new("the first axis, descending", |x| x[0].sort(0, true)?.0.exp()).input([5, 2]),
        Case::new("an axis in the middle", |x| {
            let sorted = x[0].sort(1, false)?.0;
            sorted.mul(&x[1])
        })
        .input([2, 4, 2])
        .input([2, 4, 2]),
        Case::new("equals keep their order", |x| x[0].sort(0, true)?.0.mul(&x[1]))
            .values([4], vec![1.0, 2.0, 1.0, 2.0])
            .values([4], vec![0.5, 3.0, -2.0, 7.0])
            .subgradient(0, vec![-2.0, 0.5, 7.0, 3.0]),
    ]
}
