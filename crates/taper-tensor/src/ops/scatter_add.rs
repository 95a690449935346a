//! y = x with `source` added at `index`. Scatter-add and gather are each other's gradients.

use super::gather::{check_index, corner};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Error, Result, SliceRange};

impl Tensor {
    /// This tensor with `source` added along `axis` at `index` (i64, of `source`'s shape). As in [`Tensor::gather`], `axis`
    /// of both is of any size, the other dimensions are at most as large as this tensor's. Where indices are equal, all of
    /// their elements are added. An index out of range is an error.
    pub fn scatter_add(&self, axis: isize, index: &Tensor, source: &Tensor) -> Result<Tensor> {
        let axis = self.shape().axis("scatter_add", axis)?;
        check::same("scatter_add", &["the input", "source"], &[self, source])?;
        check_index("scatter_add", self, axis, index)?;
        if index.shape() != source.shape() {
            let detail = format!("index has shape {}, source {}: expected the same", index.shape(), source.shape());
            return Err(Error::shape("scatter_add", detail));
        }
        if let Some(first) = corner(self, axis, index.shape())? {
            return put_back(&first.scatter_add(axis as isize, index, source)?, self);
        }
        let y = self.device().scatter_add(self.buffer()?, axis, index.buffer()?, source.buffer()?)?;
        Ok(Tensor::record("scatter_add", y, &[self, source], || {
            let index = index.clone();
            Rule::tensors(move |g, needs| {
                let of_source = needs[1].then(|| g.gather(axis as isize, &index)).transpose()?;
                Ok(vec![Some(g.clone()), of_source])
            })
        }))
    }
}

/// `x` with its first elements along each dimension replaced by `first`.
fn put_back(first: &Tensor, x: &Tensor) -> Result<Tensor> {
    let mut y = first.clone();
    for axis in (0..x.shape().rank()).rev().filter(|&axis| first.shape()[axis] < x.shape()[axis]) {
        // What is behind the elements so far along this axis, no more than they have along those before it.
        let size = |i: usize| if i < axis { first.shape()[i] } else { x.shape()[i] };
        let ranges = (0..x.shape().rank()).map(|i| match i {
            _ if i == axis => SliceRange::new(first.shape()[i], x.shape()[i]),
            _ => SliceRange::new(0, size(i)),
        });
        y = Tensor::concat(&[&y, &x.slice(&ranges.collect::<Vec<_>>())?], axis as isize)?;
    }
    Ok(y)
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("one place twice", |x| {
            x[0].scatter_add(0, &Tensor::from_vec(vec![2i64, 0, 2], [3, 1], x[0].device())?, &x[1])
        })
        .input([4, 1])
        .input([3, 1]),
        Case::new("a smaller index", |x| {
            x[0].scatter_add(1, &Tensor::from_vec(vec![2i64, 0], [1, 2, 1], x[0].device())?, &x[1])
        })
        .input([2, 3, 2])
        .input([1, 2, 1]),
        Case::new("the last axis", |x| {
            x[0].scatter_add(-1, &Tensor::from_vec(vec![2i64, 0, 1, 1], [2, 2], x[0].device())?, &x[1])
        })
        .input([2, 3])
        .input([2, 2]),
    ]
}
