//! The cosine embedding loss, as PyTorch's `CosineEmbeddingLoss`.

use super::{all_in_f32, reduce, same_shape};
use crate::unit::unit;
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Reduction, Result, Tensor};

const OP: &str = "cosine_embedding";

/// 1 − cos θ for similar pairs, whose target is 1, and max(0, cos θ − margin) for others, whose target is −1. The cosine
/// with a vector of zeros is 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct CosineEmbedding {
    /// The cosine up to which a pair that is not similar costs nothing, −1 to 1; 0 by default.
    pub margin: f64,
    /// How the losses of the pairs are reduced: to their mean, their sum, or not at all.
    pub reduction: Reduction,
}

impl CosineEmbedding {
    /// The loss of the pairs of `a: [N, D]` and `b: [N, D]`, with `target: [N]` (floats, 1 or −1).
    pub fn forward(&self, a: &Tensor, b: &Tensor, target: &Tensor) -> Result<Tensor> {
        let margin = self.margin;
        if !(-1.0..=1.0).contains(&margin) {
            return Err(Error::argument(OP, format!("the margin must be from -1 to 1, came as {margin}")));
        }
        same_shape(OP, a, b)?;
        if a.shape().rank() != 2 || target.shape()[..] != a.shape()[..1] {
            let detail = format!("expected [N, D] twice and [N], came {} twice and {}", a.shape(), target.shape());
            return Err(Error::shape(OP, detail));
        }
        if let Some(loss) = all_in_f32([a, b, target], |[a, b, target]| self.forward(a, b, target))? {
            return Ok(loss);
        }
        let cosines = unit(a)?.mul(&unit(b)?)?.sum(&[1], false)?; // [N]
        let apart = cosines.add_scalar(-margin)?.clamp(Some(0.0), None)?;
        reduce(&target.gt_scalar(0.0)?.select(&cosines.neg()?.add_scalar(1.0)?, &apart)?, self.reduction)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let loss = |margin, reduction| {
        move |x: &[Tensor]| {
            let target = Tensor::from_vec(vec![1.0, -1.0, -1.0, 1.0], [4], x[0].device())?;
            CosineEmbedding { margin, reduction }.forward(&x[0], &x[1], &target)
        }
    };
    vec![
        Case::new("mean", loss(-0.8, Reduction::Mean)).input([4, 3]).input([4, 3]),
        Case::new("a margin, one for each", loss(0.2, Reduction::None)).input([4, 3]).input([4, 3]),
    ]
}
