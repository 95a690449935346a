//! The soft Dice loss of masks (Milletari, Navab and Ahmadi, "V-Net", 3DV 2016; without their squares in the divisor, as
//! Drozdzal et al., "The importance of skip connections in biomedical image segmentation", 2016).

use super::{all_in_f32, reduce};
use taper_tensor::gradcheck::Case;
use taper_tensor::{DType, Error, Reduction, Result, Tensor};

const OP: &str = "dice";

/// 1 − (2 Σ p t + ε) / (Σ p + Σ t + ε) for probabilities p and masks t, the sums over the positions of each class of each
/// sample: one minus the Dice coefficient, or F1.
///
/// Positions that are ignored count in none of the sums. Where a mask is empty, an empty prediction costs 0, with ε = 0
/// too, and any other one Σ p / (Σ p + ε).
#[derive(Debug, Clone, Copy)]
pub struct Dice {
    /// ε, at least 0; 1 by default.
    pub smooth: f64,
    /// Whether the sums go over all samples of the batch, so that there is one loss for each class.
    pub batch: bool,
    /// Classes with this value are ignored; −100 by default.
    pub ignore_index: i64,
    /// How the losses, `[N, C]` or `[C]`, are reduced: to their mean, their sum, or not at all.
    pub reduction: Reduction,
}

impl Default for Dice {
    fn default() -> Self {
        Self { smooth: 1.0, batch: false, ignore_index: -100, reduction: Reduction::Mean }
    }
}

impl Dice {
    /// The loss of `probabilities: [N, C, d…]` (of a softmax, or of a sigmoid for C = 1) with `target`: classes `[N, d…]`
    /// (i64, each in 0..C, 0 or 1 for C = 1, or ignored), or masks (floats of the shape of the probabilities).
    pub fn forward(&self, probabilities: &Tensor, target: &Tensor) -> Result<Tensor> {
        if !(self.smooth >= 0.0 && self.smooth.is_finite()) {
            return Err(Error::argument(OP, format!("smooth must be at least 0, came as {}", self.smooth)));
        }
        let (shape, of_classes) = (probabilities.shape(), target.dtype() == DType::I64);
        let due = if of_classes && shape.rank() > 2 { [&shape[..1], &shape[2..]].concat() } else { shape.to_vec() };
        if shape.rank() < 3 || target.shape()[..] != due {
            let detail = format!(
                "expected probabilities [N, C, d…] with classes [N, d…] in i64 or masks of their shape, came {shape} \
                 with {} {}",
                target.dtype(),
                target.shape()
            );
            return Err(Error::shape(OP, detail));
        }
        if !of_classes {
            if let Some(loss) = all_in_f32([probabilities, target], |[p, t]| self.forward(p, t))? {
                return Ok(loss);
            }
            return self.of_masks(probabilities, target);
        }
        if let Some(loss) = all_in_f32([probabilities], |[p]| self.forward(p, target))? {
            return Ok(loss);
        }
        let ignored = target.eq_scalar(self.ignore_index as f64)?;
        let classes = target.masked_fill(&ignored, 0.0)?;
        let masks = match shape[1] {
            1 => classes.unsqueeze(1)?,
            count => classes.one_hot(count)?.movedim(&[-1], &[1])?,
        };
        let ignored = ignored.unsqueeze(1)?;
        let masks = masks.masked_fill(&ignored, 0.0)?.cast(probabilities.dtype())?; // [N, C, d…]
        self.of_masks(&probabilities.masked_fill(&ignored, 0.0)?, &masks)
    }

    fn of_masks(&self, p: &Tensor, t: &Tensor) -> Result<Tensor> {
        let others = 2..p.shape().rank() as isize;
        let axes: Vec<isize> = others.chain(self.batch.then_some(0)).collect();
        let lacking = |x: &Tensor| x.neg()?.add_scalar(1.0);
        // Σ p + Σ t − 2 Σ p t, of terms of one sign.
        let apart = p.mul(&lacking(t)?)?.add(&t.mul(&lacking(p)?)?)?.sum(&axes, false)?;
        let sizes = p.add(t)?.sum(&axes, false)?.add_scalar(self.smooth)?;
        let one = Tensor::ones([], sizes.dtype(), sizes.device())?;
        reduce(&apart.div(&sizes.eq_scalar(0.0)?.select(&one, &sizes)?)?, self.reduction)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let of_classes = |name: &str, dice: Dice| {
        Case::new(name, move |x| {
            let target = Tensor::from_vec(vec![2i64, 0, -100, 1, 1, 1, -100, 0], [2, 2, 2], x[0].device())?;
            dice.forward(&x[0], &target)
        })
        .input_in([2, 3, 2, 2], 0.0, 1.0)
    };
    let masks = Dice { smooth: 0.0, reduction: Reduction::Sum, ..Dice::default() };
    vec![
        of_classes("classes, some ignored", Dice::default()),
        of_classes(
            "over the batch, one for each class",
            Dice { batch: true, reduction: Reduction::None, ..Dice::default() },
        ),
        Case::new("masks", move |x| masks.forward(&x[0], &x[1])).input_in([2, 1, 5], 0.0, 1.0).input_in(
            [2, 1, 5],
            0.0,
            1.0,
        ),
        Case::new("nothing at all", move |x| masks.forward(&x[0].mul_scalar(0.0)?, &x[0].mul_scalar(0.0)?))
            .input([1, 1, 3])
            .zero_gradient(0),
    ]
}
