//! Repetition of whole tensors along axes. The gradient is summed over the repetitions.

use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::{Error, Result, Shape};

impl Tensor {
    /// This tensor `times[i]` times along dimension `i`. More times than dimensions add dimensions in front; fewer are an
    /// error (see [`Tensor::tile`]).
    pub fn repeat(&self, times: &[usize]) -> Result<Tensor> {
        repeated("repeat", self, times)
    }

    /// As [`Tensor::repeat`], but fewer times than dimensions count for the last dimensions.
    pub fn tile(&self, times: &[usize]) -> Result<Tensor> {
        let missing = self.shape().rank().saturating_sub(times.len());
        repeated("tile", self, &[&vec![1; missing][..], times].concat())
    }
}

fn repeated(op: &'static str, x: &Tensor, times: &[usize]) -> Result<Tensor> {
    let Some(new) = times.len().checked_sub(x.shape().rank()) else {
        let detail = format!("{} times came for the {} dimensions of {}", times.len(), x.shape().rank(), x.shape());
        return Err(Error::argument(op, detail));
    };
    let sizes = [&vec![1; new][..], x.shape()].concat();
    let shape = sizes.iter().zip(times).map(|(size, &times)| size.checked_mul(times)).collect::<Option<Vec<_>>>();
    let shape = shape.ok_or_else(|| {
        Error::argument(op, format!("{} repeated {times:?} times is more than can be counted", x.shape()))
    })?;
    check::size(op, &Shape::from(shape.clone()), x.dtype())?;
    // Each dimension as [times, size], with the times broadcast.
    let pairs = |times: &mut dyn Iterator<Item = usize>| -> Vec<usize> {
        times.zip(&sizes).flat_map(|(times, &size)| [times, size]).collect()
    };
    let apart = x.reshape(pairs(&mut times.iter().map(|_| 1)))?;
    apart.broadcast_to(pairs(&mut times.iter().copied()))?.reshape(shape)
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("each axis", |x| x[0].repeat(&[2, 3])).input([2, 3]),
        Case::new("a new axis", |x| x[0].repeat(&[2, 1, 2])).input([2, 1]),
        Case::new("a scalar", |x| x[0].repeat(&[3])).input([]),
        Case::new("no time", |x| x[0].repeat(&[0])).input([3]).zero_gradient(0),
        Case::new("the last axis", |x| x[0].tile(&[2])).input([2, 3]),
        Case::new("tile a new axis", |x| x[0].tile(&[2, 1, 1])).input([2, 3]),
    ]
}
