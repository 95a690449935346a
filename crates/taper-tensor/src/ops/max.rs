//! Maxima over axes. The gradient is shared evenly among equal maxima, as in PyTorch's `amax`.

use super::shorthand::plain;
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{DType, Error, ReduceOp, Result};

impl Tensor {
    /// The largest element over `axes` (−1 is the last; none means all); NaN if any element is NaN. With `keepdim` the
    /// axes are kept with size 1, else removed. Equal maxima share the gradient evenly. An error when an axis is empty.
    pub fn max(&self, axes: &[isize], keepdim: bool) -> Result<Tensor> {
        extreme("max", ReduceOp::Max, self, axes, keepdim)
    }
}

/// The largest or smallest element over axes.
pub(super) fn extreme(name: &'static str, op: ReduceOp, x: &Tensor, axes: &[isize], keepdim: bool) -> Result<Tensor> {
    let axes = x.shape().axes(name, axes)?;
    for &axis in &axes {
        not_empty(name, x, axis)?;
    }
    if x.dtype() == DType::U8 {
        let axes: Vec<isize> = axes.iter().map(|&axis| axis as isize).collect();
        return match axes.is_empty() {
            true => Ok(x.clone()),
            false => extreme(name, op, &x.cast(DType::I64)?, &axes, keepdim)?.cast(DType::U8),
        };
    }
    let value = x.device().reduce(op, x.buffer()?, &axes)?;
    let y = Tensor::record(name, value.clone(), &[x], || {
        let (x, axes) = (x.clone(), axes.iter().map(|&axis| axis as isize).collect::<Vec<_>>());
        Rule::tensors(move |g, _| {
            // Which elements are largest is constant around x, so that the saved output serves gradients of gradients
            // too.
            let winners = x.eq(&plain(g, value.clone()))?.cast(g.dtype())?;
            Ok(vec![Some(g.mul(&winners.div(&winners.sum(&axes, true)?)?)?)])
        })
    });
    if keepdim { Ok(y) } else { y.without_axes(&axes) }
}

/// An error when dimension `axis` of `x` is empty.
pub(super) fn not_empty(op: &'static str, x: &Tensor, axis: usize) -> Result<()> {
    if x.shape()[axis] > 0 {
        return Ok(());
    }
    Err(Error::shape(op, format!("dim {axis} of {} is empty: there is no element to choose", x.shape())))
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("all", |x| x[0].max(&[], false)).input([2, 3]),
        Case::new("the last axis", |x| x[0].max(&[-1], false)).input([2, 3]),
        Case::new("outer axes, kept", |x| x[0].max(&[0, 2], true)).input([2, 3, 2]),
        Case::new("a scalar", |x| x[0].max(&[], false)).input([]),
        Case::new("equals share", |x| x[0].max(&[1], false))
            .values([2, 3], vec![1.0, 1.0, 0.0, 2.0, 2.0, 2.0])
            .subgradient(0, vec![0.5, 0.5, 0.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0]),
    ]
}
