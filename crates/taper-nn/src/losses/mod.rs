//! The losses, one per file, each listed below, and what they share.
//!
//! The mean over no elements (an empty batch, or one in which all targets are ignored) is NaN, as in PyTorch; its
//! gradient is 0. For batches that may be empty, use [`Reduction::Sum`], which is 0 there, and divide by the number of
//! counted targets over all batches.

crate::gradcheck::checked_modules! {
    bce_with_logits,
    box_iou,
    contrastive,
    cosine_embedding,
    cross_entropy,
    ctc,
    dice,
    focal,
    hinge,
    huber,
    kl_div,
    l1,
    margin_ranking,
    mse,
    multi_margin,
    nll,
    nt_xent,
    penalty,
    quantile,
    smooth_l1,
    triplet_margin,
}

pub use bce_with_logits::BceWithLogits;
pub use box_iou::{BoxIou, Overlap};
pub use contrastive::Contrastive;
pub use cosine_embedding::CosineEmbedding;
pub use cross_entropy::CrossEntropy;
pub use ctc::Ctc;
pub use dice::Dice;
pub use focal::Focal;
pub use hinge::Hinge;
pub use huber::Huber;
pub use kl_div::{KlDiv, KlReduction};
pub use l1::L1;
pub use margin_ranking::MarginRanking;
pub use mse::Mse;
pub use multi_margin::MultiMargin;
pub use nll::Nll;
pub use nt_xent::NtXent;
pub use penalty::{l1_penalty, l2_penalty};
pub use quantile::Quantile;
pub use smooth_l1::SmoothL1;
pub use triplet_margin::TripletMargin;

use taper_tensor::{DType, Error, Reduction, Result, Tensor};

/// Returns an error unless input and target have the same shape: a target that broadcasts is nearly always a mistake.
fn same_shape(op: &'static str, input: &Tensor, target: &Tensor) -> Result<()> {
    if input.shape() == target.shape() {
        return Ok(());
    }
    let detail = format!("the input has shape {}, the target {}: expected the same", input.shape(), target.shape());
    Err(Error::shape(op, detail))
}

/// The loss of half-precision inputs, computed in f32, where squares and sums do not overflow, and rounded once; `None`
/// for other dtypes.
fn in_f32(
    input: &Tensor,
    target: &Tensor,
    loss: impl FnOnce(&Tensor, &Tensor) -> Result<Tensor>,
) -> Result<Option<Tensor>> {
    let dtype = input.dtype();
    let halves = matches!(dtype, DType::F16 | DType::BF16) && [dtype, DType::I64].contains(&target.dtype());
    if !halves {
        return Ok(None);
    }
    let target = if target.dtype() == dtype { target.cast(DType::F32)? } else { target.clone() };
    loss(&input.cast(DType::F32)?, &target)?.cast(dtype).map(Some)
}

/// The same for a loss of several tensors, when the first is a half; those of its dtype are cast.
fn all_in_f32<const N: usize>(
    tensors: [&Tensor; N],
    loss: impl FnOnce([&Tensor; N]) -> Result<Tensor>,
) -> Result<Option<Tensor>> {
    let dtype = tensors.first().map_or(DType::F32, |first| first.dtype());
    if !matches!(dtype, DType::F16 | DType::BF16) || tensors.iter().any(|tensor| tensor.dtype() != dtype) {
        return Ok(None);
    }
    let wide = tensors.iter().map(|tensor| tensor.cast(DType::F32)).collect::<Result<Vec<_>>>()?;
    loss(std::array::from_fn(|i| &wide[i]))?.cast(dtype).map(Some)
}

/// Reduces the losses of the elements.
fn reduce(losses: &Tensor, reduction: Reduction) -> Result<Tensor> {
    match reduction {
        Reduction::Mean => losses.mean_all(),
        Reduction::Sum => losses.sum_all(),
        Reduction::None => Ok(losses.clone()),
    }
}
