//! The hinge loss of a binary classifier (Cortes and Vapnik, "Support-vector networks", 1995).

use super::{reduce, same_shape};
use taper_tensor::{Reduction, Result, Tensor};

/// max(0, 1 − t · x) for scores x and targets t of −1 or 1; the derivative at the kink is 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hinge {
    /// How the losses of all elements become one.
    pub reduction: Reduction,
}

impl Hinge {
    /// The loss of `scores` with `target` (floats, −1 or 1), of the same shape.
    pub fn forward(&self, scores: &Tensor, target: &Tensor) -> Result<Tensor> {
        same_shape("hinge", scores, target)?;
        reduce(&target.mul(scores)?.neg()?.add_scalar(1.0)?.relu()?, self.reduction)
    }
}
