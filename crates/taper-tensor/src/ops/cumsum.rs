//! Cumulative sums along an axis: y_i = x_0 + … + x_i. The gradient is the cumulative sum from the other end.

use super::shorthand::{in_f32, is_half, linear};
use crate::Tensor;
use crate::gradcheck::Case;
use taper_backend::{DType, Result, SliceRange};

impl Tensor {
    /// The sums of the elements along `axis` (−1 is the last) up to and including each one. Those of u8 are i64, as in
    /// PyTorch.
    ///
    /// Composed of additions of neighbours, in time and memory proportional to the number of elements; the rounding error
    /// grows with the logarithm of the number of terms.
    pub fn cumsum(&self, axis: isize) -> Result<Tensor> {
        let at = self.shape().axis("cumsum", axis)?;
        if self.dtype() == DType::U8 {
            return self.cast(DType::I64)?.cumsum(axis);
        }
        if is_half(self) {
            return in_f32(self, |x| x.cumsum(axis));
        }
        linear("cumsum", self, || scan(self, at, Tensor::add), move |g| g.flip(&[axis])?.cumsum(axis)?.flip(&[axis]))
    }
}

/// y_i = x_0 ∘ … ∘ x_i along `axis`, for an associative ∘: pairs of neighbours are joined, scanned, and make every second
/// element of the result; the others are joined with the one before them. All of it together touches each element a few
/// times, on ⌈log₂ n⌉ levels.
pub(super) fn scan(x: &Tensor, axis: usize, join: fn(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Tensor> {
    let size = x.shape()[axis];
    if size < 2 {
        return Ok(x.clone());
    }
    let (pairs, at) = (size / 2, axis as isize);
    let first = every_second(x, axis, 0)?;
    let joined = join(&first.narrow(at, 0, pairs)?, &every_second(x, axis, 1)?)?;
    let second = scan(&joined, axis, join)?;
    let (before, after) = (second.narrow(at, 0, size.div_ceil(2) - 1)?, first.narrow(at, 1, size.div_ceil(2) - 1)?);
    let first = Tensor::concat(&[&first.narrow(at, 0, 1)?, &join(&before, &after)?], at)?;
    // Both in turn.
    let mut shape = x.shape().to_vec();
    shape[axis] = 2 * pairs;
    let even = Tensor::stack(&[&first.narrow(at, 0, pairs)?, &second], at + 1)?.reshape(shape)?;
    if size.is_multiple_of(2) { Ok(even) } else { Tensor::concat(&[&even, &first.narrow(at, pairs, 1)?], at) }
}

/// Elements `start`, `start` + 2, … along `axis`.
fn every_second(x: &Tensor, axis: usize, start: usize) -> Result<Tensor> {
    let mut ranges: Vec<SliceRange> = x.shape().iter().map(|&size| SliceRange::new(0, size)).collect();
    ranges[axis] = SliceRange { start, end: x.shape()[axis], step: 2 };
    x.slice(&ranges)
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("the last axis", |x| x[0].cumsum(-1)).input([2, 7]),
        Case::new("the first axis", |x| x[0].cumsum(0)).input([4, 2]),
        Case::new("one element", |x| x[0].cumsum(0)).input([1]),
        Case::new("no element", |x| x[0].cumsum(0)).input([0]).zero_gradient(0),
    ]
}
