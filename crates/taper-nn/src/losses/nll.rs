//! Negative log-likelihood.

use taper_tensor::gradcheck::Case;
use taper_tensor::{NllOptions, Reduction, Result, Tensor};

/// −w_t · x_t for log-probabilities x and class t, as PyTorch's `NLLLoss`.
#[derive(Debug, Clone)]
pub struct Nll {
    /// w, a weight for each class, `[C]`. No gradient flows to it.
    pub weight: Option<Tensor>,
    /// Targets with this value are ignored; −100 by default, as in PyTorch.
    pub ignore_index: i64,
    /// How the losses are reduced. The mean is weighted by the class weights of the targets that are not ignored.
    pub reduction: Reduction,
}

impl Default for Nll {
    fn default() -> Self {
        Self { weight: None, ignore_index: -100, reduction: Reduction::Mean }
    }
}

impl Nll {
    /// The loss of `log_probs: [N, C]` or `[N, C, d…]` with classes `target: [N]` or `[N, d…]` (i64, each in 0..C or
    /// ignored).
    pub fn forward(&self, log_probs: &Tensor, target: &Tensor) -> Result<Tensor> {
        let Self { weight, ignore_index, reduction } = self.clone();
        log_probs.nll_loss(target, &NllOptions { weight, ignore_index, reduction })
    }
}

pub(super) fn cases() -> Vec<Case> {
    let loss = |reduction, weighted: bool| {
        move |x: &[Tensor]| {
            let target = Tensor::from_vec(vec![2i64, 0, -100, 1], [4], x[0].device())?;
            let weight = Tensor::from_vec(vec![0.5, 2.0, 1.5], [3], x[0].device())?;
            Nll { weight: weighted.then_some(weight), reduction, ..Default::default() }.forward(&x[0], &target)
        }
    };
    vec![
        Case::new("mean", loss(Reduction::Mean, false)).input([4, 3]),
        Case::new("weighted mean", loss(Reduction::Mean, true)).input([4, 3]),
        Case::new("weighted, one for each", loss(Reduction::None, true)).input([4, 3]),
    ]
}
