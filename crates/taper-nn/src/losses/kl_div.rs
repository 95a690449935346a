//! Kullback-Leibler divergence.

use super::{in_f32, reduce, same_shape};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Reduction, Result, Tensor};

/// How the terms of a divergence are reduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum KlReduction {
    /// The sum over all elements divided by dim 0: the mean divergence of a batch.
    #[default]
    BatchMean,
    /// The mean of all elements: PyTorch's default, which is not the mathematical divergence.
    Mean,
    /// The sum of all elements.
    Sum,
    /// One term for each element.
    None,
}

/// t · (log t − x) for probabilities t and log-probabilities x, as PyTorch's `KLDivLoss`; 0 where t is 0. That includes
/// x = −∞, where PyTorch gives NaN.
#[derive(Debug, Clone, Copy, Default)]
pub struct KlDiv {
    /// Whether the target is given as log-probabilities too.
    pub log_target: bool,
    /// How the terms are reduced.
    pub reduction: KlReduction,
}

impl KlDiv {
    /// The divergence of `log_probs` from `target`, of the same shape (`[N, …]` for the mean over a batch).
    pub fn forward(&self, log_probs: &Tensor, target: &Tensor) -> Result<Tensor> {
        same_shape("kl_div", log_probs, target)?;
        if let Some(loss) = in_f32(log_probs, target, |x, t| self.forward(x, t))? {
            return Ok(loss);
        }
        let number = |value: f64| Tensor::full(value, [], target.dtype(), target.device());
        let terms = if self.log_target {
            // As below: where t is −∞, the difference would be NaN or infinite.
            let logarithm = target.eq(&number(f64::NEG_INFINITY)?)?.select(&number(0.0)?, target)?;
            logarithm.sub(log_probs)?.weighted(&target.exp()?)?
        } else {
            // log 1 where t is 0, since 0 · log 0 would be NaN.
            let logarithm = target.gt(&number(0.0)?)?.select(target, &number(1.0)?)?.log()?;
            logarithm.sub(log_probs)?.weighted(target)?
        };
        match self.reduction {
            KlReduction::BatchMean => {
                let batch = *terms.shape().first().ok_or_else(|| {
                    Error::shape("kl_div", "the mean over a batch needs a dimension 0, the input is a scalar")
                })?;
                terms.sum_all()?.mul_scalar(1.0 / batch as f64)
            }
            KlReduction::Mean => reduce(&terms, Reduction::Mean),
            KlReduction::Sum => reduce(&terms, Reduction::Sum),
            KlReduction::None => Ok(terms),
        }
    }
}

pub(super) fn cases() -> Vec<Case> {
    let loss = |log_target, reduction| move |x: &[Tensor]| KlDiv { log_target, reduction }.forward(&x[0], &x[1]);
    // Log-probabilities of which one in each row is −∞, where the target is 0.
    let masked = |log_target: bool| {
        move |x: &[Tensor]| {
            let device = x[0].device();
            let cut = Tensor::from_vec(vec![0u8, 1, 0, 0, 0, 1], [2, 3], device)?;
            let nothing = Tensor::full(f64::NEG_INFINITY, [], x[0].dtype(), device)?;
            let target = Tensor::from_vec(vec![0.25, 0.0, 0.75, 0.6, 0.4, 0.0], [2, 3], device)?;
            let target = if log_target { target.log()? } else { target };
            KlDiv { log_target, ..KlDiv::default() }.forward(&cut.select(&nothing, &x[0])?, &target)
        }
    };
    vec![
        Case::new("mean of a batch", loss(false, KlReduction::BatchMean)).input([3, 4]).input_in([3, 4], 0.1, 0.9),
        Case::new("one for each", loss(false, KlReduction::None)).input([5]).input_in([5], 0.1, 0.9),
        Case::new("mean, of logarithms", loss(true, KlReduction::Mean)).input([3, 4]).input([3, 4]),
        Case::new("sum, of logarithms", loss(true, KlReduction::Sum)).input([4]).input([4]),
        Case::new("a class masked", masked(false)).input([2, 3]),
        Case::new("a class masked, of logarithms", masked(true)).input([2, 3]),
    ]
}
