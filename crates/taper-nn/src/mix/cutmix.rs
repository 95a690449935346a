//! CutMix (Yun et al., "CutMix: Regularization strategy to train strong classifiers with localizable features", ICCV 2019).

use super::Pairs;
use super::beta;
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, RandomKey, Result, Tensor};

/// CutMix: replaces a box of each image by the same box of a partner from the same batch, and mixes the targets by
/// area.
///
/// λ ~ Beta(α, α), drawn once for the batch; the box has sides H√(1 − λ) and W√(1 − λ) around a pixel drawn uniformly,
/// and is clipped at the image's edges (section 3.2 and algorithm A1). The target weight of a sample's own class is the
/// share of the image that was kept, which differs from λ by clipping and rounding only.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CutMix {
    /// α, over 0: 1 in the paper, which makes λ uniform.
    pub alpha: f64,
}

impl CutMix {
    /// Mixes the images `x: [B, C, H, W]`. Returns them and target probabilities `[B, num_classes]` in their dtype,
    /// from `classes: [B]` (i64, each in `0..num_classes`). The same `key` mixes in the same way: use a new one in each
    /// step.
    pub fn apply(&self, x: &Tensor, classes: &Tensor, num_classes: usize, key: RandomKey) -> Result<(Tensor, Tensor)> {
        let share = beta::share("cutmix", self.alpha, key.child("share"))?;
        let &[_, _, height, width] = x.shape().dims() else {
            return Err(Error::shape("cutmix", format!("expected pictures [B, C, H, W], the input is {}", x.shape())));
        };
        let pairs = Pairs::draw("cutmix", x, classes, key)?;
        let side = (1.0 - share).sqrt();
        let (rows, columns) = (range(height, side, key.child("row")), range(width, side, key.child("column")));
        let inside = |i: usize| rows.contains(&(i / width)) && columns.contains(&(i % width));
        let cut: Vec<u8> = (0..height * width).map(|i| u8::from(inside(i))).collect();
        let area = rows.len() * columns.len();
        let kept = 1.0 - area as f64 / (height * width).max(1) as f64;
        let targets = pairs.targets(classes, num_classes, kept, x.dtype())?;
        let cut = Tensor::from_vec(cut, [1, 1, height, width], x.device())?;
        Ok((cut.select(&pairs.of(x)?, x)?, targets))
    }
}

/// A range of about `side` · `size` indices around a centre drawn from 0..`size`, clipped to 0..`size`.
fn range(size: usize, side: f64, key: RandomKey) -> std::ops::Range<usize> {
    let (centre, half) = (key.below(0, size), (0.5 * side * size as f64) as usize);
    centre.saturating_sub(half)..(centre + half).min(size)
}

pub(super) fn cases() -> Vec<Case> {
    let mix = |x: &[Tensor]| {
        let classes = Tensor::from_vec(vec![0i64, 2, 1], [3], x[0].device())?;
        Ok(CutMix { alpha: 1.0 }.apply(&x[0], &classes, 3, RandomKey::new(1))?.0)
    };
    vec![Case::new("pictures", mix).input([3, 2, 5, 6])]
}
