//! Slices chosen along an axis by index. The gradient of a slice is the sum of the gradients of its uses.

use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::{Error, Result, Shape};

impl Tensor {
    /// The slices of this tensor along `axis` (−1 is the last) that `index` names (i64, a vector): the result has as
    /// many of them. An index may come more than once; one out of range is an error.
    pub fn index_select(&self, axis: isize, index: &Tensor) -> Result<Tensor> {
        const OP: &str = "index_select";
        let axis = self.shape().axis(OP, axis)?;
        check::index(OP, index)?;
        if index.shape().rank() != 1 {
            return Err(Error::shape(OP, format!("index must be a vector, came as {}", index.shape())));
        }
        if axis == 0 {
            // Rows of a table, which backends copy whole.
            let (size, mut shape) = (self.shape()[0], self.shape().to_vec());
            shape[0] = index.count();
            check::size(OP, &Shape::from(shape.clone()), self.dtype())?;
            let width = self.shape()[1..].iter().product();
            return self.reshape([size, width])?.embedding(index)?.reshape(shape);
        }
        // A view of the vector, with every element of a slice.
        let (mut column, mut shape) = (vec![1; self.shape().rank()], self.shape().to_vec());
        (column[axis], shape[axis]) = (index.count(), index.count());
        check::size(OP, &Shape::from(shape.clone()), self.dtype())?;
        self.gather(axis as isize, &index.reshape(column)?.broadcast_to(shape)?)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let pick = |index: &'static [i64], axis| {
        move |x: &[Tensor]| x[0].index_select(axis, &Tensor::from_vec(index.to_vec(), [index.len()], x[0].device())?)
    };
    vec![
        Case::new("rows, one twice", pick(&[2, 0, 2], 0)).input([3, 2]),
        Case::new("the last axis", pick(&[1], -1)).input([2, 3]),
        Case::new("nothing", pick(&[], 0)).input([3]).zero_gradient(0),
    ]
}
