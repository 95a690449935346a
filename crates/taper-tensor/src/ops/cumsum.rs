//! Cumulative sums along an axis: y_i = x_0 + … + x_i. The gradient is the cumulative sum from the other end.

use super::shorthand::{in_f32, is_half, linear};
use crate::Tensor;
use crate::gradcheck::Case;
use taper_backend::{DType, PadAmount, Result, SliceRange};

impl Tensor {
    /// The sums of the elements along `axis` (−1 is the last) up to and including each one. Those of u8 are i64, as in
    /// PyTorch.
    ///
    /// Composed of additions, in time and memory proportional to the number of elements; the rounding error grows with the
    /// logarithm of the number of terms.
    pub fn cumsum(&self, axis: isize) -> Result<Tensor> {
        let at = self.shape().axis("cumsum", axis)?;
        if self.dtype() == DType::U8 {
            return self.cast(DType::I64)?.cumsum(axis);
        }
        if is_half(self) {
            return in_f32(self, |x| x.cumsum(axis));
        }
        linear(
            "cumsum",
            self,
            || scan(self, at, Tensor::add, 0.0),
            move |g| g.flip(&[axis])?.cumsum(axis)?.flip(&[axis]),
        )
    }
}

/// Fewer columns than this make rows too short to work on one after the other.
const NARROW: usize = 32;

/// y_i = x_0 ∘ … ∘ x_i along `axis`, for an associative ∘ with a neutral element. All of it together touches each element a
/// few times.
pub(super) fn scan(x: &Tensor, axis: usize, join: Join, neutral: f64) -> Result<Tensor> {
    if x.count() == 0 {
        return Ok(x.clone());
    }
    let front = x.movedim(&[axis as isize], &[0])?;
    let rows = front.reshape([x.shape()[axis], x.count() / x.shape()[axis]])?;
    scan_rows(&rows, join, neutral)?.reshape(front.shape())?.movedim(&[0], &[axis as isize])
}

type Join = fn(&Tensor, &Tensor) -> Result<Tensor>;

/// The same over the rows of `x`, `[rows, columns]`.
fn scan_rows(x: &Tensor, join: Join, neutral: f64) -> Result<Tensor> {
    let [rows, columns] = x.dims()?;
    if rows < 2 {
        return Ok(x.clone());
    }
    if columns < NARROW && rows > 2 * NARROW {
        return in_blocks(x, join, neutral);
    }
    // Pairs of neighbours are joined, scanned, and make every second row of the result; the others are joined with the one
    // before them. There are ⌈log₂ rows⌉ levels.
    let pairs = rows / 2;
    let every_second = |start| x.slice(&[SliceRange { start, end: rows, step: 2 }, SliceRange::new(0, columns)]);
    let first = every_second(0)?;
    let joined = join(&first.narrow(0, 0, pairs)?, &every_second(1)?)?;
    let second = scan_rows(&joined, join, neutral)?;
    let (before, after) = (second.narrow(0, 0, rows.div_ceil(2) - 1)?, first.narrow(0, 1, rows.div_ceil(2) - 1)?);
    let first = Tensor::concat(&[&first.narrow(0, 0, 1)?, &join(&before, &after)?], 0)?;
    let even = Tensor::stack(&[&first.narrow(0, 0, pairs)?, &second], 1)?.reshape([2 * pairs, columns])?;
    if rows.is_multiple_of(2) { Ok(even) } else { Tensor::concat(&[&even, &first.narrow(0, pairs, 1)?], 0) }
}

/// The same in about √rows blocks of as many rows each: scanned side by side, and joined with what is before the block.
fn in_blocks(x: &Tensor, join: Join, neutral: f64) -> Result<Tensor> {
    let [rows, columns] = x.dims()?;
    let size = (rows as f64).sqrt().ceil() as usize;
    let blocks = rows.div_ceil(size);
    let behind = PadAmount { high: blocks * size - rows, ..PadAmount::default() };
    let whole = if behind.high > 0 { x.pad(&[behind, PadAmount::default()], neutral)? } else { x.clone() };
    // Row by row of all blocks.
    let beside = whole.reshape([blocks, size, columns])?.transpose(0, 1)?.reshape([size, blocks * columns])?;
    let beside = scan_rows(&beside, join, neutral)?.reshape([size, blocks, columns])?;
    let totals = scan_rows(&beside.narrow(0, size - 1, 1)?.squeeze(0)?, join, neutral)?;
    let others = join(&totals.narrow(0, 0, blocks - 1)?, &beside.narrow(1, 1, blocks - 1)?)?;
    let all = Tensor::concat(&[&beside.narrow(1, 0, 1)?, &others], 1)?;
    all.transpose(0, 1)?.reshape([blocks * size, columns])?.narrow(0, 0, rows)
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("the last axis", |x| x[0].cumsum(-1)).input([2, 7]),
        Case::new("the first axis", |x| x[0].cumsum(0)).input([4, 2]),
        Case::new("in blocks", |x| x[0].cumsum(0)).input([71]),
        Case::new("one element", |x| x[0].cumsum(0)).input([1]),
        Case::new("no element", |x| x[0].cumsum(0)).input([0]).zero_gradient(0),
    ]
}
