//! Absolute error (L1 loss).

use super::{in_f32, reduce, same_shape};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Reduction, Result, Tensor};

/// |x − t|, as PyTorch's `L1Loss`; the derivative at 0 is 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct L1 {
    /// How the losses of the elements are reduced: to their mean, their sum, or not at all.
    pub reduction: Reduction,
}

impl L1 {
    /// The loss of `input` with `target`, of the same shape.
    pub fn forward(&self, input: &Tensor, target: &Tensor) -> Result<Tensor> {
        same_shape("l1", input, target)?;
        if let Some(loss) = in_f32(input, target, |x, t| self.forward(x, t))? {
            return Ok(loss);
        }
        reduce(&input.sub(target)?.abs()?, self.reduction)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let loss = |reduction| move |x: &[Tensor]| L1 { reduction }.forward(&x[0], &x[1]);
    vec![
        Case::new("mean", loss(Reduction::Mean)).input([3, 4]).input([3, 4]),
        Case::new("one for each", loss(Reduction::None)).input([5]).input([5]),
        Case::new("at the kink", loss(Reduction::Sum))
            .values([2], vec![1.0, 3.0])
            .values([2], vec![1.0, 2.0])
            .subgradient(0, vec![0.0, 1.0]),
    ]
}
