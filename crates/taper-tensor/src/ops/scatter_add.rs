//! y = x with `source` added at `index`. Scatter-add and gather are each other's gradients.

use super::gather::check_index;
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Error, Result};

impl Tensor {
    /// This tensor with `source` added along `axis` at `index` (i64, of `source`'s shape, which is this tensor's except
    /// along `axis`). Where indices are equal, all of their elements are added. An index out of range is an error.
    pub fn scatter_add(&self, axis: isize, index: &Tensor, source: &Tensor) -> Result<Tensor> {
        let axis = self.shape().axis("scatter_add", axis)?;
        check::same("scatter_add", &["the input", "source"], &[self, source])?;
        check_index("scatter_add", self, axis, index)?;
        if index.shape() != source.shape() {
            let detail = format!("index has shape {}, source {}: expected the same", index.shape(), source.shape());
            return Err(Error::shape("scatter_add", detail));
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

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("one place twice", |x| {
            x[0].scatter_add(0, &Tensor::from_vec(vec![2i64, 0, 2], [3, 1], x[0].device())?, &x[1])
        })
        .input([4, 1])
        .input([3, 1]),
        Case::new("the last axis", |x| {
            x[0].scatter_add(-1, &Tensor::from_vec(vec![2i64, 0, 1, 1], [2, 2], x[0].device())?, &x[1])
        })
        .input([2, 3])
        .input([2, 2]),
    ]
}
