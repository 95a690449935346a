//! Binary cross entropy of logits.

use super::{in_f32, reduce, same_shape};
use crate::optim::wide;
use taper_tensor::gradcheck::Case;
use taper_tensor::{Activation, Error, Reduction, Result, Tensor};

/// −p · t · log σ(x) − (1 − t) · log(1 − σ(x)) for logits x and targets t in [0, 1], as PyTorch's `BCEWithLogitsLoss`.
///
/// Computed as (1 − t) · log(1 + eˣ) + p · t · log(1 + e⁻ˣ), a sum of terms of one sign: neither it nor its derivatives
/// lose precision for large logits of either sign. An infinite logit on the right side of a target of exactly 0 or 1
/// costs 0.
#[derive(Debug, Clone, Default)]
pub struct BceWithLogits {
    /// p, the weight of positive targets. Its shape broadcasts to the logits' (one weight per class, say); 1 when
    /// `None`.
    pub pos_weight: Option<Tensor>,
    /// How the losses of the elements are reduced: to their mean, their sum, or not at all.
    pub reduction: Reduction,
}

impl BceWithLogits {
    /// The loss of `logits` with `target`, of the same shape.
    pub fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        same_shape("bce_with_logits", logits, target)?;
        let pos_weight = self.pos_weight.as_ref().filter(|weight| weight.dtype() == logits.dtype());
        if pos_weight.is_some() || self.pos_weight.is_none() {
            let pos_weight = pos_weight.map(|weight| weight.cast(wide(weight.dtype()))).transpose()?;
            let loss = Self { pos_weight, reduction: self.reduction };
            if let Some(loss) = in_f32(logits, target, |x, t| loss.forward(x, t))? {
                return Ok(loss);
            }
        }
        let mut positive = target.clone();
        if let Some(weight) = &self.pos_weight {
            if !weight.shape().broadcasts_to(logits.shape()) {
                let detail = format!("pos_weight {} must broadcast to the input, {}", weight.shape(), logits.shape());
                return Err(Error::shape("bce_with_logits", detail));
            }
            positive = weight.mul(target)?;
        }
        let negative = target.neg()?.add_scalar(1.0)?;
        let (of_negative, of_positive) = (weighted(&negative, logits)?, weighted(&positive, &logits.neg()?)?);
        reduce(&of_negative.add(&of_positive)?, self.reduction)
    }
}

/// w · log(1 + eˣ); 0 where w is 0, even if the logarithm is infinite.
fn weighted(w: &Tensor, x: &Tensor) -> Result<Tensor> {
    // With an infinite threshold softplus is never replaced by a line.
    let cost = x.activation(Activation::Softplus { beta: 1.0, threshold: f64::INFINITY })?;
    let zero = Tensor::zeros([], cost.dtype(), cost.device())?;
    let finite = cost.eq_scalar(f64::INFINITY)?.select(&w.eq_scalar(0.0)?.select(&zero, &cost)?, &cost)?;
    w.mul(&finite)
}

pub(super) fn cases() -> Vec<Case> {
    let plain = |reduction| {
        let loss = BceWithLogits { pos_weight: None, reduction };
        move |x: &[Tensor]| loss.forward(&x[0], &x[1])
    };
    let with_weight = |x: &[Tensor]| {
        BceWithLogits { pos_weight: Some(x[2].clone()), reduction: Reduction::Sum }.forward(&x[0], &x[1])
    };
    vec![
        Case::new("mean", plain(Reduction::Mean)).input_in([3, 4], -3.0, 3.0).input_in([3, 4], 0.0, 1.0),
        Case::new("one for each", plain(Reduction::None)).input([2, 3]).input_in([2, 3], 0.0, 1.0),
        Case::new("sure, one for each", plain(Reduction::None))
            .values([4], vec![-30.0, 30.0, -12.0, 12.0])
            .values([4], vec![0.1, 0.9, 0.0, 1.0]),
        Case::new("weighted sum", with_weight).input([3, 4]).input_in([3, 4], 0.0, 1.0).input_in([4], 0.5, 3.0),
    ]
}
