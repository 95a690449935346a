//! Sums, maxima, minima and argmax.

use crate::backend::CandleBackend;
use crate::data::{CandleResult, beside, full, widened};
use candle_core::{DType as CandleDType, Tensor};
use taper_backend::ReduceOp;

/// Reduces over `axes`, which stay as dimensions of size 1. For a maximum or minimum none of them may be empty.
pub(crate) fn reduce(op: ReduceOp, x: &Tensor, axes: &[usize]) -> CandleResult<Tensor> {
    if axes.is_empty() {
        return Ok(x.clone());
    }
    if x.elem_count() == 0 {
        let mut dims = x.dims().to_vec();
        axes.iter().for_each(|&axis| dims[axis] = 1);
        return full(0.0, &dims, x.dtype(), x.device());
    }
    match op {
        ReduceOp::Sum => widened(&[x], |x| sum(&x[0], axes)),
        ReduceOp::Max => extreme(x, axes, |x, axis| x.max_keepdim(axis)),
        ReduceOp::Min => extreme(x, axes, |x, axis| x.min_keepdim(axis)),
    }
}

/// The most terms that candle is given to add up. It adds one after another in the terms' dtype, so that the rounding
/// error grows with the length. Longer sums are computed as sums of such sums.
pub(crate) const RUN: usize = 1024;

/// The sum over `axes`, which stay as dimensions of size 1.
pub(crate) fn sum(x: &Tensor, axes: &[usize]) -> CandleResult<Tensor> {
    // Contiguous: candle's strided reduction is several times slower.
    let x = x.contiguous()?;
    let terms: usize = axes.iter().map(|&axis| x.dims()[axis]).product();
    if terms <= RUN || !x.dtype().is_float() {
        return x.sum_keepdim(axes);
    }
    axes.iter().rev().try_fold(x, |x, &axis| long_sum(x, axis))
}

/// The sum over one axis, computed in pieces of at most [`RUN`] terms.
fn long_sum(mut x: Tensor, axis: usize) -> CandleResult<Tensor> {
    while x.dims()[axis] > RUN {
        let size = x.dims()[axis];
        let whole = size / RUN * RUN;
        let mut pieces = x.dims().to_vec();
        pieces.splice(axis..=axis, [whole / RUN, RUN]);
        let sums = x.narrow(axis, 0, whole)?.contiguous()?.reshape(pieces)?.sum(axis + 1)?;
        x = if whole < size {
            let rest = x.narrow(axis, whole, size - whole)?.contiguous()?.sum_keepdim(axis)?;
            Tensor::cat(&[&sums, &rest], axis)?
        } else {
            sums
        };
    }
    x.sum_keepdim(axis)
}

/// The sum of all elements, a scalar.
pub(crate) fn sum_all(x: &Tensor) -> CandleResult<Tensor> {
    sum(&x.flatten_all()?, &[0])?.reshape(())
}

/// The maximum or minimum over `axes`, computed by `of`; NaN if there is one. Candle's comparisons skip NaN, so that
/// NaN is looked for separately.
fn extreme(x: &Tensor, axes: &[usize], of: impl Fn(&Tensor, usize) -> CandleResult<Tensor>) -> CandleResult<Tensor> {
    let y = axes.iter().try_fold(x.contiguous()?, |x, &axis| of(&x, axis))?;
    if !x.dtype().is_float() {
        return Ok(y);
    }
    let nan = x.ne(x)?.to_dtype(CandleDType::F32)?;
    let nan = sum(&nan, axes)?;
    nan.gt(&beside(&nan, 0.0)?)?.where_cond(&beside(&y, f64::NAN)?, &y)
}

impl CandleBackend {
    /// The index of the largest element along `axis`, i64: the first of equals, or the first NaN. Candle's own argmax
    /// does not say which of several equals it returns.
    pub(crate) fn argmax_of(&self, x: &Tensor, axis: usize) -> CandleResult<Tensor> {
        let mut dims = vec![1; x.rank()];
        dims[axis] = x.dims()[axis];
        let positions = self.positions(x.dims()[axis])?.reshape(dims)?.broadcast_as(x.shape())?;
        let largest = extreme(x, &[axis], |x, axis| x.max_keepdim(axis))?.broadcast_as(x.shape())?;
        let mut chosen = x.eq(&largest)?;
        if x.dtype().is_float() {
            // NaN equals nothing: if the largest is NaN, the elements that are NaN are chosen.
            chosen = largest.ne(&largest)?.where_cond(&x.ne(x)?, &chosen)?;
        }
        let none = beside(&positions, x.dims()[axis] as f64)?;
        chosen.where_cond(&positions, &none)?.min_keepdim(axis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{index, loss, pool};
    use candle_core::Device;
    use taper_backend::Pool2dSpec;

    const SIDE: usize = 3162;
    const N: usize = SIDE * SIDE;

    /// The error bound in units of 2⁻²⁴: three levels of [`RUN`] additions, and a few more roundings.
    const BOUND: f64 = 3.0 * RUN as f64 + 4.0;

    fn near(name: &str, found: &Tensor, exact: f64, bound: f64) -> CandleResult<()> {
        for found in found.flatten_all()?.to_dtype(CandleDType::F64)?.to_vec1::<f64>()? {
            let error = (found / exact - 1.0).abs() * 2f64.powi(24);
            // Written so that a NaN fails.
            assert!(error <= bound, "{name}: {found} beside {exact}, {error} u over {bound}");
        }
        Ok(())
    }

    #[test]
    fn the_error_of_long_sums_is_bounded() -> CandleResult<()> {
        let device = Device::Cpu;
        let (term, n) = (f64::from(0.1f32), N as f64);
        let x = Tensor::full(0.1f32, N, &device)?;
        near("all", &sum_all(&x)?, term * n, BOUND)?;
        near("rows", &sum(&x.reshape((N / 2, 2))?, &[0])?, term * n / 2.0, BOUND)?;
        near("softmax", &loss::softmax(&x, 0, false)?.narrow(0, 0, 2)?, 1.0 / n, BOUND)?;
        near("log softmax", &loss::softmax(&x, 0, true)?.narrow(0, 0, 2)?, -n.ln(), BOUND)?;
        let spec = Pool2dSpec { kernel_size: [SIDE; 2], stride: [SIDE; 2], ..Pool2dSpec::square(1) };
        let picture = x.reshape((1, 1, SIDE, SIDE))?;
        near("pooling", &pool::avg_pool2d(&picture, &spec, &[1, 1, 1, 1])?, term, BOUND)?;
        // Windows that are pooled along the width, then along the height.
        let spec = Pool2dSpec { kernel_size: [1000; 2], stride: [1000; 2], ..spec };
        near("pooling of parts", &pool::avg_pool2d(&picture, &spec, &[1, 1, 3, 3])?, term, 2004.0)?;
        let places = Tensor::ones(N, CandleDType::I64, &device)?;
        let grad = index::embedding_grad(&x.reshape((N, 1))?, &places, 3, 1)?;
        near("embedding", &grad.narrow(0, 1, 1)?, term * n, 1.01)?;
        let zeros = Tensor::zeros(3, CandleDType::F32, &device)?;
        near("scatter", &index::scatter_add(&zeros, 0, &places, &x)?.narrow(0, 1, 1)?, term * n, 1.01)
    }
}
