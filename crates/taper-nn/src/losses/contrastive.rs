//! The contrastive loss of pairs (Hadsell, Chopra and LeCun, "Dimensionality reduction by learning an invariant mapping",
//! CVPR 2006, equation 4).

use super::{all_in_f32, reduce, same_shape};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Reduction, Result, Tensor};

const OP: &str = "contrastive";

/// ½ s D² + ½ (1 − s) max(0, margin − D)² with the Euclidean distance D, and s = 1 for similar pairs, 0 for others: s is
/// 1 − Y of the paper. Equal embeddings of a pair that is not similar have a gradient of 0.
#[derive(Debug, Clone, Copy)]
pub struct Contrastive {
    /// How far apart pairs that are not similar are to be; over 0, 1 by default.
    pub margin: f64,
    /// How the losses of the pairs are reduced: to their mean, their sum, or not at all.
    pub reduction: Reduction,
}

impl Default for Contrastive {
    fn default() -> Self {
        Self { margin: 1.0, reduction: Reduction::Mean }
    }
}

impl Contrastive {
    /// The loss of the pairs of `a: [N, D]` and `b: [N, D]`, with `similar: [N]` (floats, 0 or 1).
    pub fn forward(&self, a: &Tensor, b: &Tensor, similar: &Tensor) -> Result<Tensor> {
        let margin = self.margin;
        if !(margin > 0.0 && margin.is_finite()) {
            return Err(Error::argument(OP, format!("the margin must be over 0, came as {margin}")));
        }
        same_shape(OP, a, b)?;
        if a.shape().rank() != 2 || similar.shape()[..] != a.shape()[..1] {
            let detail = format!("expected [N, D] twice and [N], came {} twice and {}", a.shape(), similar.shape());
            return Err(Error::shape(OP, detail));
        }
        if let Some(loss) = all_in_f32([a, b, similar], |[a, b, similar]| self.forward(a, b, similar))? {
            return Ok(loss);
        }
        let difference = a.sub(b)?;
        let square = difference.mul(&difference)?.sum(&[1], false)?; // [N]
        let lacking = difference.norm(2.0, &[1], false)?.neg()?.add_scalar(margin)?.relu()?;
        let apart = lacking.mul(&lacking)?.mul(&similar.neg()?.add_scalar(1.0)?)?;
        reduce(&square.mul(similar)?.add(&apart)?.mul_scalar(0.5)?, self.reduction)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let loss = |margin, reduction| {
        move |x: &[Tensor]| {
            let similar = Tensor::from_vec(vec![1.0, 0.0, 0.0, 1.0], [4], x[0].device())?;
            Contrastive { margin, reduction }.forward(&x[0], &x[1], &similar)
        }
    };
    vec![
        Case::new("mean", loss(2.0, Reduction::Mean)).input([4, 3]).input([4, 3]),
        Case::new("far apart, one for each", loss(0.1, Reduction::None)).input([4, 3]).input([4, 3]),
    ]
}
