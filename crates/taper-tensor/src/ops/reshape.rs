//! The same elements in row-major order under another shape.

use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Error, Result, Shape};

impl Tensor {
    /// The same elements, in row-major order, in another `shape` of as many elements.
    pub fn reshape(&self, shape: impl Into<Shape>) -> Result<Tensor> {
        let shape = shape.into();
        if shape == *self.shape() {
            return Ok(self.clone());
        }
        check::size("reshape", &shape, self.dtype())?;
        if shape.count() != self.count() {
            let detail = format!(
                "{} elements of shape {} do not fit {shape}, which has {}",
                self.count(),
                self.shape(),
                shape.count()
            );
            return Err(Error::shape("reshape", detail));
        }
        let y = self.device().reshape(self.buffer()?, &shape)?;
        Ok(Tensor::record("reshape", y, &[self], || {
            let shape = self.shape().clone();
            Rule::tensors(move |g, _| Ok(vec![Some(g.reshape(shape.clone())?)]))
        }))
    }

    /// Flattens the dimensions from `start` on (−1 is the last) to one: `[N, C, H, W]` with `start` 1 becomes
    /// `[N, C·H·W]`.
    pub fn flatten(&self, start: isize) -> Result<Tensor> {
        let start = self.shape().axis("flatten", start)?;
        let mut dims = self.shape()[..start].to_vec();
        dims.push(self.shape()[start..].iter().product());
        self.reshape(dims)
    }

    /// Inserts a dimension of size 1 at `axis` (0 to rank; −1 for a new last dimension).
    pub fn unsqueeze(&self, axis: isize) -> Result<Tensor> {
        let rank = self.shape().rank() as isize;
        let at = if axis < 0 { axis + rank + 1 } else { axis };
        if !(0..=rank).contains(&at) {
            let detail = format!("axis {axis} is out of range for shape {} of {rank} dimensions", self.shape());
            return Err(Error::argument("unsqueeze", detail));
        }
        let mut dims = self.shape().to_vec();
        dims.insert(at as usize, 1);
        self.reshape(dims)
    }

    /// Removes dimension `axis`, which must have size 1.
    pub fn squeeze(&self, axis: isize) -> Result<Tensor> {
        let axis = self.shape().axis("squeeze", axis)?;
        if self.shape()[axis] != 1 {
            let detail = format!("dim {axis} of {} has size {}, expected 1", self.shape(), self.shape()[axis]);
            return Err(Error::shape("squeeze", detail));
        }
        self.without_axes(&[axis])
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("to a matrix", |x| x[0].reshape([3, 2])).input([2, 3]),
        Case::new("flatten pictures", |x| x[0].flatten(1)).input([2, 3, 2, 2]),
        Case::new("squeeze and unsqueeze", |x| x[0].squeeze(1)?.unsqueeze(-1)).input([2, 1, 3]),
        Case::new("of a permuted view", |x| x[0].permute(&[1, 0])?.reshape([6])).input([2, 3]),
    ]
}
