//! The focal loss of binary logits (Lin et al., "Focal loss for dense object detection", ICCV 2017, equation 5), as
//! torchvision's `sigmoid_focal_loss`.

use super::{BceWithLogits, all_in_f32, reduce, same_shape};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Reduction, Result, Tensor};

/// −α_t (1 − p_t)^γ log p_t for logits x, where p_t is σ(x) for the target 1 and 1 − σ(x) for 0, and α_t is α for 1 and
/// 1 − α for 0: what is right already counts for little. Targets between 0 and 1 interpolate all three.
#[derive(Debug, Clone, Copy)]
pub struct Focal {
    /// α, the weight of positive targets, 0 to 1, 0.25 by default; `None` for no weights.
    pub alpha: Option<f64>,
    /// γ, at least 0, 2 by default; 0 gives the weighted binary cross entropy.
    pub gamma: f64,
    /// How the losses of the elements are reduced: to their mean, their sum, or not at all. The paper divides the sum by
    /// the number of positive targets.
    pub reduction: Reduction,
}

impl Default for Focal {
    fn default() -> Self {
        Self { alpha: Some(0.25), gamma: 2.0, reduction: Reduction::Mean }
    }
}

impl Focal {
    /// The loss of `logits` with `target` (floats, 0 to 1), of the same shape.
    pub fn forward(&self, logits: &Tensor, target: &Tensor) -> Result<Tensor> {
        let Self { alpha, gamma, reduction } = *self;
        let alpha_fits = alpha.is_none_or(|alpha| (0.0..=1.0).contains(&alpha));
        if !(gamma >= 0.0 && gamma.is_finite() && alpha_fits) {
            let alpha = alpha.map_or("none".to_owned(), |alpha| alpha.to_string());
            let detail = format!("alpha must be from 0 to 1, gamma at least 0: came as {alpha}, {gamma}");
            return Err(Error::argument("focal", detail));
        }
        same_shape("focal", logits, target)?;
        if let Some(loss) = all_in_f32([logits, target], |[x, t]| self.forward(x, t))? {
            return Ok(loss);
        }
        let cross_entropy =
            BceWithLogits { reduction: Reduction::None, ..Default::default() }.forward(logits, target)?;
        let negative = target.neg()?.add_scalar(1.0)?;
        // 1 − p_t, of terms of one sign. Where it underflows, powers of it for γ < 1 would have an infinite slope.
        let wrong = logits.sigmoid()?.mul(&negative)?.add(&logits.neg()?.sigmoid()?.mul(target)?)?;
        let mut losses = cross_entropy.mul(&wrong.maximum_scalar(f64::from(f32::MIN_POSITIVE))?.pow_scalar(gamma)?)?;
        if let Some(alpha) = alpha {
            losses = losses.mul(&target.mul_scalar(alpha)?.add(&negative.mul_scalar(1.0 - alpha)?)?)?;
        }
        reduce(&losses, reduction)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let loss = |alpha, gamma, reduction| move |x: &[Tensor]| Focal { alpha, gamma, reduction }.forward(&x[0], &x[1]);
    vec![
        Case::new("mean", loss(Some(0.25), 2.0, Reduction::Mean)).input_in([3, 4], -3.0, 3.0).input_in(
            [3, 4],
            0.0,
            1.0,
        ),
        Case::new("no weights, one for each", loss(None, 0.5, Reduction::None))
            .input_in([5], -2.0, 2.0)
            .values([5], vec![0.0, 1.0, 1.0, 0.0, 0.3]),
        Case::new("without focus", loss(Some(0.6), 0.0, Reduction::Sum)).input([4]).input_in([4], 0.0, 1.0),
    ]
}
