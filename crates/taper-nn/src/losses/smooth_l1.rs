//! The smooth L1 loss (Girshick, "Fast R-CNN", ICCV 2015, equation 3), as PyTorch's `SmoothL1Loss`.

use super::{Huber, L1};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Reduction, Result, Tensor};

/// With d = x − t: ½d²/β where |d| < β, |d| − ½β elsewhere: Huber's loss with δ = β, divided by β. With β = 0 it is |d|.
#[derive(Debug, Clone, Copy)]
pub struct SmoothL1 {
    /// β, where the loss changes from quadratic to linear; at least 0, 1 by default.
    pub beta: f64,
    /// How the losses of the elements are reduced: to their mean, their sum, or not at all.
    pub reduction: Reduction,
}

impl Default for SmoothL1 {
    fn default() -> Self {
        Self { beta: 1.0, reduction: Reduction::Mean }
    }
}

impl SmoothL1 {
    /// The loss of `input` with `target`, of the same shape.
    pub fn forward(&self, input: &Tensor, target: &Tensor) -> Result<Tensor> {
        let Self { beta, reduction } = *self;
        if !(beta >= 0.0 && beta.is_finite()) {
            return Err(Error::argument("smooth_l1", format!("beta must be at least 0, came as {beta}")));
        }
        super::same_shape("smooth_l1", input, target)?;
        if beta == 0.0 {
            return L1 { reduction }.forward(input, target);
        }
        Huber { delta: beta, reduction }.forward(input, target)?.mul_scalar(1.0 / beta)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let loss = |beta, reduction| move |x: &[Tensor]| SmoothL1 { beta, reduction }.forward(&x[0], &x[1]);
    vec![
        Case::new("both branches", loss(0.4, Reduction::Mean)).input([3, 4]).input([3, 4]),
        Case::new("the line alone, one for each", loss(0.0, Reduction::None)).input([4]).input([4]),
    ]
}
