//! Broadcast, slice, pad and concatenate. Broadcasts and slices of step 1 are views; padding, concatenation and slices
//! of a larger step copy.

use crate::data::{CandleResult, full};
use candle_core::Tensor;
use taper_backend::{PadAmount, SliceRange};

/// `x` broadcast to `shape`.
pub(crate) fn broadcast(x: &Tensor, shape: &[usize]) -> CandleResult<Tensor> {
    if x.dims() == shape { Ok(x.clone()) } else { x.broadcast_as(shape) }
}

/// The slice of `x` with one range per dimension.
pub(crate) fn slice(x: &Tensor, ranges: &[SliceRange]) -> CandleResult<Tensor> {
    ranges.iter().enumerate().try_fold(x.clone(), |x, (axis, range)| {
        let count = range.count();
        if range.step == 1 || count < 2 {
            return x.narrow(axis, range.start.min(x.dims()[axis]), count);
        }
        every(&x, axis, range.start, range.step, count)
    })
}

/// Every `step`-th element along `axis` from `start`, `count` in all. Candle has no strided slice, but the dimension
/// can be reshaped to `[count, step]`, and the first of each step taken.
pub(crate) fn every(x: &Tensor, axis: usize, start: usize, step: usize, count: usize) -> CandleResult<Tensor> {
    let size = x.dims()[axis];
    if start + count * step > size {
        // The last step is cut short by the edge.
        let last = x.narrow(axis, start + (count - 1) * step, 1)?;
        return match count {
            1 => Ok(last),
            _ => Tensor::cat(&[&every(x, axis, start, step, count - 1)?, &last], axis),
        };
    }
    let mut dims = x.dims().to_vec();
    dims.splice(axis..=axis, [count, step]);
    x.narrow(axis, start, count * step)?.reshape(dims)?.narrow(axis + 1, 0, 1)?.squeeze(axis + 1)
}

/// `x` padded with `value` before, after and between its elements, by one amount per dimension.
pub(crate) fn pad(x: &Tensor, amounts: &[PadAmount], value: f64) -> CandleResult<Tensor> {
    amounts.iter().enumerate().try_fold(x.clone(), |x, (axis, amount)| pad_axis(&x, axis, *amount, value))
}

fn pad_axis(x: &Tensor, axis: usize, amount: PadAmount, value: f64) -> CandleResult<Tensor> {
    let size = x.dims()[axis];
    let filled = |like: &Tensor, axis: usize, size: usize| {
        let mut dims = like.dims().to_vec();
        dims[axis] = size;
        full(value, &dims, x.dtype(), x.device())
    };
    if size == 0 {
        return filled(x, axis, amount.padded(0));
    }
    let mut x = x.clone();
    if amount.interior > 0 && size > 1 {
        let column = x.unsqueeze(axis + 1)?;
        let mut dims = x.dims().to_vec();
        dims[axis] = size * (1 + amount.interior);
        let spread = Tensor::cat(&[&column, &filled(&column, axis + 1, amount.interior)?], axis + 1)?;
        x = spread.reshape(dims)?.narrow(axis, 0, size + (size - 1) * amount.interior)?;
    }
    let around = [(amount.low, true), (amount.high, false)];
    for (amount, before) in around.into_iter().filter(|(amount, _)| *amount > 0) {
        let edge = filled(&x, axis, amount)?;
        x = Tensor::cat(&if before { [&edge, &x] } else { [&x, &edge] }, axis)?;
    }
    Ok(x)
}

/// `parts` concatenated along `axis`.
pub(crate) fn concat(parts: &[&Tensor], axis: usize) -> CandleResult<Tensor> {
    let parts: Vec<&Tensor> = match parts.iter().filter(|part| part.elem_count() > 0).count() {
        0 => {
            let mut dims = parts[0].dims().to_vec();
            dims[axis] = parts.iter().map(|part| part.dims()[axis]).sum();
            return full(0.0, &dims, parts[0].dtype(), parts[0].device());
        }
        _ => parts.iter().copied().filter(|part| part.elem_count() > 0).collect(),
    };
    Tensor::cat(&parts, axis)
}
