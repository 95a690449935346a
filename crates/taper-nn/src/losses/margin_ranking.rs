//! The ranking loss of pairs of scores, as PyTorch's `MarginRankingLoss`.

use super::{all_in_f32, reduce, same_shape};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Reduction, Result, Tensor};

/// max(0, −t (a − b) + margin) for scores a and b, of which a is to be the larger where t = 1, and b where t = −1; the
/// derivative at the kink is that of the other side of 0, as in PyTorch.
#[derive(Debug, Clone, Copy, Default)]
pub struct MarginRanking {
    /// By how much the better score is to lead; 0 by default.
    pub margin: f64,
    /// How the losses of the pairs are reduced: to their mean, their sum, or not at all.
    pub reduction: Reduction,
}

impl MarginRanking {
    /// The loss of scores `a` and `b` with `target` (floats, 1 or −1), of one shape all three.
    pub fn forward(&self, a: &Tensor, b: &Tensor, target: &Tensor) -> Result<Tensor> {
        same_shape("margin_ranking", a, b)?;
        same_shape("margin_ranking", a, target)?;
        if let Some(loss) = all_in_f32([a, b, target], |[a, b, target]| self.forward(a, b, target))? {
            return Ok(loss);
        }
        let lacking = b.sub(a)?.mul(target)?.add_scalar(self.margin)?;
        reduce(&lacking.clamp(Some(0.0), None)?, self.reduction)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let loss = |margin, reduction| {
        move |x: &[Tensor]| {
            let target = Tensor::from_vec(vec![1.0, -1.0, -1.0, 1.0], [4], x[0].device())?;
            MarginRanking { margin, reduction }.forward(&x[0], &x[1], &target)
        }
    };
    vec![
        Case::new("mean", loss(0.3, Reduction::Mean)).input([4]).input([4]),
        Case::new("at the kink", loss(0.0, Reduction::Sum))
            .values([4], vec![1.0, 1.0, 2.0, 3.0])
            .values([4], vec![1.0, 1.0, 3.0, 2.0])
            .subgradient(0, vec![-1.0, 1.0, 0.0, 0.0])
            .subgradient(1, vec![1.0, -1.0, 0.0, 0.0]),
    ]
}
