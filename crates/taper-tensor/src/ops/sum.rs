//! Sums over axes. The gradient of each element is the gradient of the sum that it is a term of.

use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{DType, Error, ReduceOp, Result, Shape};

impl Tensor {
    /// The sum over `axes` (−1 is the last; none means all). With `keepdim` the axes are kept with size 1, else
    /// removed. The sum of u8 is i64, as in PyTorch: of a mask, how often it holds.
    pub fn sum(&self, axes: &[isize], keepdim: bool) -> Result<Tensor> {
        if self.dtype() == DType::U8 {
            return self.cast(DType::I64)?.sum(axes, keepdim);
        }
        let axes = self.shape().axes("sum", axes)?;
        let y = self.device().reduce(ReduceOp::Sum, self.buffer()?, &axes)?;
        let y = Tensor::record("sum", y, &[self], || {
            let shape = self.shape().clone();
            Rule::tensors(move |g, _| Ok(vec![Some(g.broadcast_to(&shape)?)]))
        });
        if keepdim { Ok(y) } else { y.without_axes(&axes) }
    }

    /// The sum of all elements, a scalar.
    pub fn sum_all(&self) -> Result<Tensor> {
        self.sum(&[], false)
    }

    /// This tensor summed to `shape`, which must broadcast to its shape: the gradient of [`Tensor::broadcast_to`].
    pub(crate) fn sum_to(&self, shape: &Shape) -> Result<Tensor> {
        if self.shape() == shape {
            return Ok(self.clone());
        }
        if !shape.broadcasts_to(self.shape()) {
            let detail = format!("{} cannot be summed to {shape}, which does not broadcast to it", self.shape());
            return Err(Error::shape("sum_to", detail));
        }
        let extra = self.shape().rank() - shape.rank();
        let axes: Vec<isize> = (0..self.shape().rank())
            .filter(|&i| i < extra || (shape[i - extra] == 1 && self.shape()[i] != 1))
            .map(|i| i as isize)
            .collect();
        let summed = if axes.is_empty() { self.clone() } else { self.sum(&axes, true)? };
        summed.reshape(shape.clone())
    }

    /// This tensor without `axes`, each of size 1.
    pub(crate) fn without_axes(&self, axes: &[usize]) -> Result<Tensor> {
        let kept: Vec<usize> =
            (0..self.shape().rank()).filter(|i| !axes.contains(i)).map(|i| self.shape()[i]).collect();
        self.reshape(kept)
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("all", |x| x[0].sum_all()).input([2, 3]),
        Case::new("the last axis", |x| x[0].sum(&[-1], false)).input([2, 3]),
        Case::new("the first, kept", |x| x[0].sum(&[0], true)).input([2, 3]),
        Case::new("channels of pictures", |x| x[0].sum(&[0, 2, 3], false)).input([2, 3, 2, 2]),
        Case::new("a scalar", |x| x[0].sum_all()).input([]),
        Case::new("over nothing", |x| x[0].sum(&[0], false)).input([0, 3]).zero_gradient(0),
    ]
}
