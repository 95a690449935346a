//! Slicing: a range of each dimension, with steps. The gradient is the output's gradient padded with zeros around and
//! between its elements.

use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Error, PadAmount, Result, SliceRange};

impl Tensor {
    /// The elements in `ranges[i]` of each dimension `i`; one range for each dimension. A range past the end is an
    /// error.
    pub fn slice(&self, ranges: &[SliceRange]) -> Result<Tensor> {
        let shape = self.shape();
        if ranges.len() != shape.rank() {
            let detail = format!("{} ranges came for the {} dimensions of {shape}", ranges.len(), shape.rank());
            return Err(Error::argument("slice", detail));
        }
        for (dim, (range, &size)) in ranges.iter().zip(shape.dims()).enumerate() {
            if range.step == 0 || range.start > range.end || range.end > size {
                let SliceRange { start, end, step } = range;
                let detail = format!(
                    "{start}..{end} with step {step} is no range of dim {dim} of {shape}: expected start ≤ end ≤ {size} and a step of at least 1"
                );
                return Err(Error::argument("slice", detail));
            }
        }
        let y = self.device().slice(self.buffer()?, ranges)?;
        Ok(Tensor::record("slice", y, &[self], || {
            let back: Vec<PadAmount> =
                ranges.iter().zip(shape.dims()).map(|(range, &size)| put_back(range, size)).collect();
            Rule::tensors(move |g, _| Ok(vec![Some(g.pad(&back, 0.0)?)]))
        }))
    }

    /// `len` elements from `start` on along `axis` (−1 is the last), and all elements along the other dimensions. A
    /// range past the end is an error.
    pub fn narrow(&self, axis: isize, start: usize, len: usize) -> Result<Tensor> {
        let axis = self.shape().axis("narrow", axis)?;
        let size = self.shape()[axis];
        let Some(end) = start.checked_add(len).filter(|&end| end <= size) else {
            let detail =
                format!("{len} elements from {start} on reach past dim {axis} (size {size}) of {}", self.shape());
            return Err(Error::argument("narrow", detail));
        };
        let mut ranges: Vec<SliceRange> = self.shape().iter().map(|&size| SliceRange::new(0, size)).collect();
        ranges[axis] = SliceRange::new(start, end);
        self.slice(&ranges)
    }
}

/// The padding that puts the elements of a slice back at their positions in a dimension of `size`.
fn put_back(range: &SliceRange, size: usize) -> PadAmount {
    let interior = range.step - 1;
    let count = range.count();
    let reach = count + count.saturating_sub(1) * interior;
    // An empty slice has no padding between elements: all of it is in front and behind.
    PadAmount { low: range.start, high: size - range.start - reach, interior }
}

pub(super) fn cases() -> Vec<Case> {
    let slice = |ranges: &'static [(usize, usize, usize)]| {
        move |x: &[Tensor]| {
            let ranges = ranges.iter().map(|&(start, end, step)| SliceRange { start, end, step });
            x[0].slice(&ranges.collect::<Vec<_>>())
        }
    };
    vec![
        Case::new("a block", slice(&[(1, 3, 1), (0, 2, 1)])).input([4, 3]),
        Case::new("with steps", slice(&[(0, 5, 2), (1, 7, 3)])).input([5, 7]),
        Case::new("a step past the end", slice(&[(1, 5, 3)])).input([5]),
        Case::new("narrow", |x| x[0].narrow(-1, 2, 1)).input([2, 3]),
        Case::new("everything", slice(&[(0, 3, 1)])).input([3]),
        Case::new("nothing", slice(&[(2, 2, 4)])).input([3]).zero_gradient(0),
    ]
}
