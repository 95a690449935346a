//! The hinge loss of a binary classifier (Cortes and Vapnik, "Support-vector networks", 1995).

use super::{in_f32, reduce, same_shape};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Reduction, Result, Tensor};

/// max(0, 1 − t · x) for scores x and targets t of −1 or 1; the derivative at the kink is 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hinge {
    /// How the losses of the elements are reduced: to their mean, their sum, or not at all.
    pub reduction: Reduction,
}

impl Hinge {
    /// The loss of `scores` with `target` (floats, −1 or 1), of the same shape.
    pub fn forward(&self, scores: &Tensor, target: &Tensor) -> Result<Tensor> {
        same_shape("hinge", scores, target)?;
        if let Some(loss) = in_f32(scores, target, |x, t| self.forward(x, t))? {
            return Ok(loss);
        }
        reduce(&target.mul(scores)?.neg()?.add_scalar(1.0)?.relu()?, self.reduction)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let loss = |reduction| move |x: &[Tensor]| Hinge { reduction }.forward(&x[0], &x[1]);
    vec![
        Case::new("mean", loss(Reduction::Mean)).input_in([3, 4], -2.0, 2.0).input_in([3, 4], -2.0, 2.0),
        Case::new("one for each", loss(Reduction::None)).input([5]).input([5]),
        Case::new("at the kink", loss(Reduction::Sum))
            .values([2], vec![1.0, -0.5])
            .values([2], vec![1.0, -1.0])
            .subgradient(0, vec![0.0, 1.0]),
    ]
}
