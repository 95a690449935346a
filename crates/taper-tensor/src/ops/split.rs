//! Splitting a tensor into consecutive parts along an axis. The parts are the outputs of one operation, so that the
//! backward pass concatenates their gradients once: T slices of one tensor cost memory traffic in proportion to T, where
//! T calls of [`Tensor::narrow`] pad each gradient to the whole size, T² in all.

use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Error, Result, SliceRange};

impl Tensor {
    /// Parts of `size` along `axis` (−1 is the last); the last part is smaller where the axis is no multiple of `size`.
    /// An axis of size 0 gives one empty part. An error when `size` is 0.
    pub fn split(&self, size: usize, axis: isize) -> Result<Vec<Tensor>> {
        if size == 0 {
            return Err(Error::argument("split", "the size of a part is 0, expected at least 1"));
        }
        let axis = self.shape().axis("split", axis)?;
        let whole = self.shape()[axis];
        let sizes = (0..whole.div_ceil(size).max(1)).map(|i| size.min(whole - i * size));
        parts("split", self, &sizes.collect::<Vec<_>>(), axis)
    }

    /// Parts of `sizes` along `axis` (−1 is the last), whose sum must be the axis's size.
    pub fn split_with_sizes(&self, sizes: &[usize], axis: isize) -> Result<Vec<Tensor>> {
        const OP: &str = "split_with_sizes";
        let axis = self.shape().axis(OP, axis)?;
        let sum = sizes.iter().try_fold(0_usize, |sum, &size| sum.checked_add(size));
        if sizes.is_empty() || sum != Some(self.shape()[axis]) {
            let detail = format!(
                "{sizes:?} must be at least one size, with the sum {} of dim {axis} of {}",
                self.shape()[axis],
                self.shape()
            );
            return Err(Error::argument(OP, detail));
        }
        parts(OP, self, sizes, axis)
    }

    /// At most `chunks` parts of equal size along `axis` (−1 is the last), the last one smaller where they do not fit: as in
    /// PyTorch, fewer than `chunks` where the axis's size, divided and rounded up, needs fewer. An error when `chunks` is 0.
    pub fn chunk(&self, chunks: usize, axis: isize) -> Result<Vec<Tensor>> {
        if chunks == 0 {
            return Err(Error::argument("chunk", "0 chunks, expected at least 1"));
        }
        let axis = self.shape().axis("chunk", axis)?;
        let whole = self.shape()[axis];
        if whole == 0 {
            return parts("chunk", self, &vec![0; chunks], axis);
        }
        self.split(whole.div_ceil(chunks), axis as isize)
    }

    /// The slices along `axis` (−1 is the last), each without it.
    pub fn unbind(&self, axis: isize) -> Result<Vec<Tensor>> {
        let axis = self.shape().axis("unbind", axis)?;
        if self.shape()[axis] == 0 {
            return Ok(Vec::new());
        }
        let slices = parts("unbind", self, &vec![1; self.shape()[axis]], axis)?;
        slices.iter().map(|slice| slice.without_axes(&[axis])).collect()
    }
}

/// The parts of `sizes` (at least one) along `axis`, of the sum of its size.
fn parts(op: &'static str, x: &Tensor, sizes: &[usize], axis: usize) -> Result<Vec<Tensor>> {
    let mut ranges: Vec<SliceRange> = x.shape().iter().map(|&size| SliceRange::new(0, size)).collect();
    let mut start = 0;
    let mut values = Vec::with_capacity(sizes.len());
    for &size in sizes {
        ranges[axis] = SliceRange::new(start, start + size);
        start += size;
        values.push(x.device().slice(x.buffer()?, &ranges)?);
    }
    Ok(Tensor::record_outputs(op, values, &[x], || {
        let (sizes, shape) = (sizes.to_vec(), x.shape().clone());
        Rule::outputs(move |gradients, _| {
            let Some(first) = gradients.iter().flatten().next() else { return Ok(vec![None]) };
            let zeros = |size: usize| {
                let mut part = shape.to_vec();
                part[axis] = size;
                Tensor::zeros(part, first.dtype(), first.device())
            };
            let parts =
                gradients.iter().zip(&sizes).map(|(gradient, &size)| gradient.clone().map_or_else(|| zeros(size), Ok));
            let parts = parts.collect::<Result<Vec<_>>>()?;
            Ok(vec![Some(Tensor::concat(&parts.iter().collect::<Vec<_>>(), axis as isize)?)])
        })
    }))
}

/// The hidden states `[N, T, hidden]` of a recurrent layer over x `[N, T, in]`: h = tanh(x W + h U), 0 at the start.
fn recurrent(x: &[Tensor]) -> Result<Tensor> {
    let mut states: Vec<Tensor> = Vec::new();
    for step in x[0].unbind(1)? {
        let input = step.matmul(&x[1])?;
        let sum = states.last().map_or(Ok(input.clone()), |last| input.add(&last.matmul(&x[2])?))?;
        states.push(sum.tanh()?);
    }
    Tensor::stack(&states.iter().collect::<Vec<_>>(), 1)
}

pub(super) fn cases() -> Vec<Case> {
    let product = |parts: Vec<Tensor>| -> Result<Tensor> {
        let first = parts.first().ok_or_else(|| Error::argument("split", "no parts"))?;
        parts[1..].iter().try_fold(first.clone(), |product, part| product.mul(part))
    };
    vec![
        Case::new("even", move |x| product(x[0].split(2, 1)?)).input([2, 6]),
        Case::new("the last part, smaller", |x| x[0].split(3, 0)?[1].mul(&x[0].narrow(0, 0, 2)?)).input([5, 2]),
        Case::new("one part of three", |x| x[0].split_with_sizes(&[1, 2, 4], -1)?[1].exp()).input([2, 7]),
        Case::new("one part twice", |x| {
            let parts = x[0].split_with_sizes(&[2, 1], 0)?;
            parts[0].mul(&parts[0])?.mul(&parts[1])
        })
        .input([3, 2]),
        Case::new("two parts of one size, a tensor that is split twice", move |x| {
            product([x[0].chunk(2, 0)?, x[0].chunk(2, 0)?].concat())
        })
        .input([4, 3]),
        Case::new("chunks of 5 in 3", |x| {
            let parts = x[0].chunk(3, 0)?;
            parts[0].mul(&parts[1])?.mul(&parts[2])
        })
        .input([5, 2]),
        Case::new("an empty part", |x| x[0].split_with_sizes(&[0, 3], 0)?[1].exp()).input([3]),
        Case::new("unbind", move |x| product(x[0].unbind(1)?)).input([2, 3, 2]),
        Case::new("a recurrent layer", recurrent).input([2, 5, 3]).input([3, 4]).input([4, 4]),
    ]
}
