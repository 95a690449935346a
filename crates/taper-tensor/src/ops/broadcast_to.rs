//! Broadcasting: repeats dimensions of size 1, and missing dimensions in front. The backward pass sums the gradient to
//! the input's shape.

use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Error, Result, Shape};

impl Tensor {
    /// This tensor broadcast to `shape`, by NumPy's rule: sizes must be equal or 1, aligned at the last dimension.
    pub fn broadcast_to(&self, shape: impl Into<Shape>) -> Result<Tensor> {
        let shape = shape.into();
        if shape == *self.shape() {
            return Ok(self.clone());
        }
        if !self.shape().broadcasts_to(&shape) {
            let detail = format!("shape {} does not broadcast to {shape}", self.shape());
            return Err(Error::shape("broadcast_to", detail));
        }
        check::size("broadcast_to", &shape, self.dtype())?;
        let y = self.device().broadcast(self.buffer()?, &shape)?;
        Ok(Tensor::record("broadcast_to", y, &[self], || Rule::tensors(|g, _| Ok(vec![Some(g.clone())]))))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("a row", |x| x[0].broadcast_to([4, 3])).input([3]),
        Case::new("a column", |x| x[0].broadcast_to([2, 4, 3])).input([4, 1]),
        Case::new("a scalar", |x| x[0].broadcast_to([2, 2])).input([]),
    ]
}
