//! Mixup (Zhang, Cissé, Dauphin and Lopez-Paz, "mixup: Beyond empirical risk minimization", ICLR 2018).

use super::Pairs;
use super::beta;
use taper_tensor::gradcheck::Case;
use taper_tensor::{RandomKey, Result, Tensor};

/// x̃ = λ x + (1 − λ) x′ and t̃ = λ t + (1 − λ) t′ for each sample and a partner from the same batch, with one λ ~
/// Beta(α, α) for the batch.
///
/// ```
/// use taper_nn::{CrossEntropy, Device, Mixup, RandomKey, Tensor};
/// # fn main() -> taper_nn::Result<()> {
/// let device = Device::new(taper_cpu::CpuBackend::new()?);
/// let x = Tensor::from_vec(vec![0.0f32, 1.0, 2.0, 3.0], [2, 2], &device)?;
/// let classes = Tensor::from_vec(vec![0i64, 2], [2], &device)?;
/// let (mixed, targets) = Mixup { alpha: 0.2 }.apply(&x, &classes, 3, RandomKey::new(1))?;
/// assert_eq!((mixed.shape()[..].to_vec(), targets.shape()[..].to_vec()), (vec![2, 2], vec![2, 3]));
/// # let logits = targets.clone();
/// let loss = CrossEntropy::default().forward(&logits, &targets)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mixup {
    /// α, over 0: 0.1 to 0.4 in the paper's ImageNet runs; 1 makes λ uniform.
    pub alpha: f64,
}

impl Mixup {
    /// Mixes the samples `x: [B, …]`. Returns them and target probabilities `[B, num_classes]` in their dtype, from
    /// `classes: [B]` (i64, each in `0..num_classes`). The same `key` mixes in the same way: use a new one in each
    /// step.
    pub fn apply(&self, x: &Tensor, classes: &Tensor, num_classes: usize, key: RandomKey) -> Result<(Tensor, Tensor)> {
        let share = beta::share("mixup", self.alpha, key.child("share"))?;
        let pairs = Pairs::draw("mixup", x, classes, key)?;
        let targets = pairs.targets(classes, num_classes, share, x.dtype())?;
        let mixed = match share {
            // A sample of weight 0 is left out: 0 · ∞ would be NaN.
            1.0 => x.clone(),
            0.0 => pairs.of(x)?,
            _ => x.mul_scalar(share)?.add(&pairs.of(x)?.mul_scalar(1.0 - share)?)?,
        };
        Ok((mixed, targets))
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mix = |x: &[Tensor]| {
        let classes = Tensor::from_vec(vec![0i64, 2, 1, 2], [4], x[0].device())?;
        Ok(Mixup { alpha: 1.0 }.apply(&x[0], &classes, 3, RandomKey::new(1))?.0)
    };
    vec![Case::new("rows", mix).input([4, 3]), Case::new("pictures", mix).input([4, 2, 2, 3])]
}
