//! Losses of boxes by their overlap: IoU (Yu et al., "UnitBox", 2016), GIoU (Rezatofighi et al., "Generalized intersection
//! over union", CVPR 2019, algorithm 1) and DIoU (Zheng et al., "Distance-IoU loss", AAAI 2020, equation 7), as torchvision's
//! `generalized_box_iou_loss` and `distance_box_iou_loss`.

use super::{all_in_f32, reduce, same_shape};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Reduction, Result, Tensor};

const OP: &str = "box_iou";

/// What is compared of two boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overlap {
    /// 1 − IoU, 0 to 1, with a gradient of 0 for boxes that do not meet.
    Iou,
    /// 1 − IoU + the share of the smallest enclosing box that neither covers, 0 to 2: it draws boxes together.
    #[default]
    GIou,
    /// 1 − IoU + the square of the centres' distance in that of the enclosing box's diagonal, 0 to 2.
    DIou,
}

/// One minus the overlap of pairs of boxes. A box without area has an IoU of 0 with any other.
#[derive(Debug, Clone, Copy)]
pub struct BoxIou {
    /// What is compared.
    pub overlap: Overlap,
    /// ε, added to each divisor, over 0; 1e-7 by default.
    pub eps: f64,
    /// How the losses of the pairs are reduced: to their mean, their sum, or not at all.
    pub reduction: Reduction,
}

impl Default for BoxIou {
    fn default() -> Self {
        Self { overlap: Overlap::GIou, eps: 1e-7, reduction: Reduction::Mean }
    }
}

impl BoxIou {
    /// The loss of `boxes: […, 4]` with `target` of the same shape: x₁, y₁, x₂, y₂ with x₁ ≤ x₂ and y₁ ≤ y₂, in any unit.
    pub fn forward(&self, boxes: &Tensor, target: &Tensor) -> Result<Tensor> {
        let eps = self.eps;
        if !(eps > 0.0 && eps.is_finite()) {
            return Err(Error::argument(OP, format!("eps must be over 0, came as {eps}")));
        }
        same_shape(OP, boxes, target)?;
        if boxes.shape().last() != Some(&4) {
            return Err(Error::shape(OP, format!("expected boxes […, 4], came {}", boxes.shape())));
        }
        if let Some(loss) = all_in_f32([boxes, target], |[x, t]| self.forward(x, t))? {
            return Ok(loss);
        }
        let side = |boxes: &Tensor, i: usize| boxes.narrow(-1, i, 1);
        let area = |boxes: &Tensor| side(boxes, 2)?.sub(&side(boxes, 0)?)?.mul(&side(boxes, 3)?.sub(&side(boxes, 1)?)?);
        // Along x (i = 0) and y (1): the lengths of what both cover, and of the smallest interval around both.
        let both =
            |i| side(boxes, i + 2)?.minimum(&side(target, i + 2)?)?.sub(&side(boxes, i)?.maximum(&side(target, i)?)?);
        let around =
            |i| side(boxes, i + 2)?.maximum(&side(target, i + 2)?)?.sub(&side(boxes, i)?.minimum(&side(target, i)?)?);
        let (width, height) = (both(0)?, both(1)?);
        let meet = width.gt_scalar(0.0)?.logical_and(&height.gt_scalar(0.0)?)?;
        let shared = width.mul(&height)?.masked_fill(&meet.logical_not()?, 0.0)?;
        let union = area(boxes)?.add(&area(target)?)?.sub(&shared)?;
        let mut loss = shared.div(&union.add_scalar(eps)?)?.neg()?.add_scalar(1.0)?;
        match self.overlap {
            Overlap::Iou => {}
            Overlap::GIou => {
                let hull = around(0)?.mul(&around(1)?)?;
                loss = loss.add(&hull.sub(&union)?.div(&hull.add_scalar(eps)?)?)?;
            }
            Overlap::DIou => {
                let square = |x: Tensor| x.mul(&x);
                let centre = |boxes: &Tensor, i| side(boxes, i)?.add(&side(boxes, i + 2)?)?.mul_scalar(0.5);
                let apart = |i| square(centre(boxes, i)?.sub(&centre(target, i)?)?);
                let diagonal = square(around(0)?)?.add(&square(around(1)?)?)?.add_scalar(eps)?;
                loss = loss.add(&apart(0)?.add(&apart(1)?)?.div(&diagonal)?)?;
            }
        }
        reduce(&loss.squeeze(-1)?, self.reduction)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let loss = |overlap, reduction| {
        move |x: &[Tensor]| BoxIou { overlap, reduction, ..BoxIou::default() }.forward(&x[0], &x[1])
    };
    // Overlapping, one inside the other, apart.
    let boxes = || vec![0.1, 0.2, 1.3, 1.1, 0.0, 0.0, 2.0, 3.0, 0.0, 0.1, 1.0, 1.2];
    let target = || vec![0.5, 0.4, 1.7, 1.5, 0.5, 0.6, 1.5, 2.0, 2.0, 2.3, 3.0, 3.1];
    let case = |name: &str, overlap, reduction| {
        Case::new(name, loss(overlap, reduction)).values([3, 4], boxes()).values([3, 4], target())
    };
    vec![
        case("IoU", Overlap::Iou, Reduction::None),
        case("GIoU", Overlap::GIou, Reduction::Mean),
        case("DIoU", Overlap::DIou, Reduction::Sum),
    ]
}
