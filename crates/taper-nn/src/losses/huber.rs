//! Huber's loss (Huber, "Robust estimation of a location parameter", 1964).

use super::{in_f32, reduce, same_shape};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Reduction, Result, Tensor};

/// With d = x − t: ½d² where |d| ≤ δ, δ(|d| − ½δ) elsewhere, as PyTorch's `HuberLoss`.
#[derive(Debug, Clone, Copy)]
pub struct Huber {
    /// δ, where the loss changes from quadratic to linear; over 0.
    pub delta: f64,
    /// How the losses of the elements are reduced: to their mean, their sum, or not at all.
    pub reduction: Reduction,
}

impl Default for Huber {
    fn default() -> Self {
        Self { delta: 1.0, reduction: Reduction::Mean }
    }
}

impl Huber {
    /// The loss of `input` with `target`, of the same shape.
    pub fn forward(&self, input: &Tensor, target: &Tensor) -> Result<Tensor> {
        let delta = self.delta;
        if !(delta > 0.0 && delta.is_finite()) {
            return Err(Error::argument("huber", format!("delta must be over 0, came as {delta}")));
        }
        same_shape("huber", input, target)?;
        if let Some(loss) = in_f32(input, target, |x, t| self.forward(x, t))? {
            return Ok(loss);
        }
        let distance = input.sub(target)?.abs()?;
        // With q = min(|d|, δ) both branches are ½q² + δ(|d| − q).
        let near = distance.minimum_scalar(delta)?;
        let parabola = near.mul(&near)?.mul_scalar(0.5)?;
        reduce(&parabola.add(&distance.sub(&near)?.mul_scalar(delta)?)?, self.reduction)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let loss = |delta, reduction| move |x: &[Tensor]| Huber { delta, reduction }.forward(&x[0], &x[1]);
    vec![
        // About a third of the distances are on the parabola.
        Case::new("both branches", loss(0.4, Reduction::Mean)).input([3, 4]).input([3, 4]),
        Case::new("the parabola, one for each", loss(3.0, Reduction::None)).input([4]).input([4]),
        Case::new("the line, summed", loss(1e-3, Reduction::Sum)).input([4]).input([4]),
    ]
}
