//! The k largest or smallest elements along an axis.

use super::sort::order;
use crate::Tensor;
use crate::gradcheck::Case;
use taper_backend::{Error, Result};

impl Tensor {
    /// The `k` largest elements along `axis` (−1 is the last), the largest first, or without `largest` the `k` smallest,
    /// the smallest first; and the index (i64) that each had. Of equal elements the first comes first; a NaN counts as
    /// largest. An error when the axis has fewer than `k`.
    pub fn topk(&self, k: usize, axis: isize, largest: bool) -> Result<(Tensor, Tensor)> {
        const OP: &str = "topk";
        let size = self.shape()[self.shape().axis(OP, axis)?];
        if k > size {
            let detail = format!("k is {k}, axis {axis} of {} has only {size} elements", self.shape());
            return Err(Error::argument(OP, detail));
        }
        let index = order(OP, self, axis, largest)?.narrow(axis, 0, k)?;
        Ok((self.gather(axis, &index)?, index))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("the largest", |x| x[0].topk(2, -1, true)?.0.exp()).input([3, 5]),
        Case::new("the smallest, the first axis", |x| x[0].topk(3, 0, false)?.0.mul(&x[1])).input([4, 2]).input([3, 2]),
        Case::new("none", |x| x[0].topk(0, 0, true)?.0.exp()).input([3]).zero_gradient(0),
        Case::new("of equals the first", |x| x[0].topk(2, 0, true)?.0.mul(&x[1]))
            .values([4], vec![1.0, 2.0, 2.0, 2.0])
            .values([2], vec![0.5, 3.0])
            .subgradient(0, vec![0.0, 0.5, 3.0, 0.0]),
    ]
}
