//! y[…, i, …] = x[…, index[…, i, …], …]. The gradient is a scatter-add of the output's gradient at `index`.

use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Error, Result, Shape, SliceRange};

impl Tensor {
    /// The elements chosen along `axis` (−1 is the last) by `index` (i64), of whose shape the result is: `axis` is of any
    /// size, the other dimensions are at most as large as this tensor's, whose first elements along them are read. An
    /// index out of range is an error.
    pub fn gather(&self, axis: isize, index: &Tensor) -> Result<Tensor> {
        let axis = self.shape().axis("gather", axis)?;
        check_index("gather", self, axis, index)?;
        if let Some(corner) = corner(self, axis, index.shape())? {
            return corner.gather(axis as isize, index);
        }
        let y = self.device().gather(self.buffer()?, axis, index.buffer()?)?;
        Ok(Tensor::record("gather", y, &[self], || {
            let (index, shape) = (index.clone(), self.shape().clone());
            Rule::tensors(move |g, _| {
                let zeros = Tensor::zeros(&shape, g.dtype(), g.device())?;
                Ok(vec![Some(zeros.scatter_add(axis as isize, &index, g)?)])
            })
        }))
    }
}

/// The first elements of `x` along each dimension but `axis`, as many as `shape` has there; `None` when that is all.
pub(super) fn corner(x: &Tensor, axis: usize, shape: &Shape) -> Result<Option<Tensor>> {
    let size = |i: usize| if i == axis { x.shape()[i] } else { shape[i] };
    if (0..x.shape().rank()).all(|i| size(i) == x.shape()[i]) {
        return Ok(None);
    }
    let ranges: Vec<SliceRange> = (0..x.shape().rank()).map(|i| SliceRange::new(0, size(i))).collect();
    x.slice(&ranges).map(Some)
}

/// An error unless `index` is i64, on the device of `x`, and no larger than `x` except along `axis`.
pub(super) fn check_index(op: &'static str, x: &Tensor, axis: usize, index: &Tensor) -> Result<()> {
    check::index(op, index)?;
    check::same_device(op, "the input", x, "index", index)?;
    let fits = index.shape().rank() == x.shape().rank()
        && (0..x.shape().rank()).all(|i| i == axis || index.shape()[i] <= x.shape()[i]);
    if fits {
        return Ok(());
    }
    let detail =
        format!("index of shape {} must be within the input's shape {} but for dim {axis}", index.shape(), x.shape());
    Err(Error::shape(op, detail))
}

pub(super) fn cases() -> Vec<Case> {
    let pick = |index: &'static [i64], shape: &'static [usize], axis| {
        move |x: &[Tensor]| x[0].gather(axis, &Tensor::from_vec(index.to_vec(), shape, x[0].device())?)
    };
    vec![
        Case::new("rows", pick(&[1, 0, 1], &[3, 1], 0)).input([2, 1]),
        Case::new("the last axis, one twice", pick(&[2, 2, 0, 1], &[2, 2], -1)).input([2, 3]),
        Case::new("a smaller index", pick(&[1, 0], &[2, 1], 0)).input([2, 3]),
        Case::new("one element never", pick(&[0, 0], &[2, 1], 1)).input([2, 3]),
    ]
}
