//! Absolute error.

use super::{reduce, same_shape};
use taper_tensor::{Reduction, Result, Tensor};

/// |x − t|, as PyTorch's `L1Loss`; the derivative at 0 is 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct L1 {
    /// How the losses of all elements become one.
    pub reduction: Reduction,
}

impl L1 {
    /// The loss of `input` with `target`, of the same shape.
    pub fn forward(&self, input: &Tensor, target: &Tensor) -> Result<Tensor> {
        same_shape("l1", input, target)?;
        reduce(&input.sub(target)?.abs()?, self.reduction)
    }
}
