//! The multi-class hinge loss (Crammer and Singer's kind, summed over classes).

use super::{in_f32, reduce};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Reduction, Result, Tensor};

/// 1/C · Σ_{c ≠ t} max(0, margin − x_t + x_c) for scores x and class t, as PyTorch's `MultiMarginLoss` with p = 1.
#[derive(Debug, Clone, Copy)]
pub struct MultiMargin {
    /// The margin by which the right class must lead; 1 by default.
    pub margin: f64,
    /// How the losses of a batch are reduced: to their mean, their sum, or not at all.
    pub reduction: Reduction,
}

impl Default for MultiMargin {
    fn default() -> Self {
        Self { margin: 1.0, reduction: Reduction::Mean }
    }
}

impl MultiMargin {
    /// The loss of `scores: [N, C]` with classes `target: [N]` (i64, each in 0..C).
    pub fn forward(&self, scores: &Tensor, target: &Tensor) -> Result<Tensor> {
        if scores.shape().rank() != 2 || target.shape()[..] != scores.shape()[..1] {
            let (scores, target) = (scores.shape(), target.shape());
            let detail = format!("scores must be [N, C] and the target [N], they came as {scores} and {target}");
            return Err(Error::shape("multi_margin", detail));
        }
        if let Some(loss) = in_f32(scores, target, |x, t| self.forward(x, t))? {
            return Ok(loss);
        }
        let class = target.unsqueeze(1)?; // [N, 1]
        // The right class is not compared with itself: its term is set to 0, whatever it is (∞ − ∞ where its score is
        // −∞).
        let zero = Tensor::zeros([], scores.dtype(), scores.device())?;
        let ones = Tensor::ones([scores.shape()[0], 1], scores.dtype(), scores.device())?;
        let own = Tensor::zeros(scores.shape(), scores.dtype(), scores.device())?.scatter_add(1, &class, &ones)?;
        let own = own.gt(&zero)?; // [N, C]
        let apart = own.select(&zero, &scores.sub(&scores.gather(1, &class)?)?)?;
        let rivals = own.select(&zero, &apart.add_scalar(self.margin)?.relu()?)?; // [N, C]
        let losses = rivals.sum(&[1], false)?.mul_scalar(1.0 / scores.shape()[1] as f64)?; // [N]
        reduce(&losses, self.reduction)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let loss = |margin, reduction| {
        move |x: &[Tensor]| {
            let target = Tensor::from_vec(vec![2i64, 0, 3], [3], x[0].device())?;
            MultiMargin { margin, reduction }.forward(&x[0], &target)
        }
    };
    vec![
        Case::new("mean", loss(1.0, Reduction::Mean)).input([3, 4]),
        Case::new("a narrow margin, one for each", loss(0.2, Reduction::None)).input([3, 5]),
    ]
}
