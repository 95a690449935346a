//! Mean squared error.

use super::{in_f32, reduce, same_shape};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Reduction, Result, Tensor};

/// (x − t)², as PyTorch's `MSELoss`; or ½(x − t)², as textbooks have it (Bishop 2006, equation 5.14).
#[derive(Debug, Clone, Copy, Default)]
pub struct Mse {
    /// Whether the loss has the factor ½.
    pub half: bool,
    /// How the losses of the elements are reduced: to their mean, their sum, or not at all.
    pub reduction: Reduction,
}

impl Mse {
    /// The loss of `input` with `target`, of the same shape.
    pub fn forward(&self, input: &Tensor, target: &Tensor) -> Result<Tensor> {
        same_shape("mse", input, target)?;
        if let Some(loss) = in_f32(input, target, |x, t| self.forward(x, t))? {
            return Ok(loss);
        }
        let difference = input.sub(target)?;
        let loss = reduce(&difference.mul(&difference)?, self.reduction)?;
        if self.half { loss.mul_scalar(0.5) } else { Ok(loss) }
    }
}

pub(super) fn cases() -> Vec<Case> {
    let loss = |half, reduction| move |x: &[Tensor]| Mse { half, reduction }.forward(&x[0], &x[1]);
    vec![
        Case::new("mean", loss(false, Reduction::Mean)).input([3, 4]).input([3, 4]),
        Case::new("half, one for each", loss(true, Reduction::None)).input([5]).input([5]),
    ]
}
