//! The losses, one per file, each listed below, and what they share.
//!
//! The mean over no elements (an empty batch, or one in which all targets are ignored) is NaN, as in PyTorch; its
//! gradient is 0. For batches that may be empty, use [`Reduction::Sum`], which is 0 there, and divide by the number of
//! counted targets over all batches.

crate::gradcheck::checked_modules! {
    bce_with_logits,
    cross_entropy,
    ctc,
    hinge,
    huber,
    kl_div,
    l1,
    mse,
    multi_margin,
    nll,
    penalty,
}

pub use bce_with_logits::BceWithLogits;
pub use cross_entropy::CrossEntropy;
pub use ctc::Ctc;
pub use hinge::Hinge;
pub use huber::Huber;
pub use kl_div::{KlDiv, KlReduction};
pub use l1::L1;
pub use mse::Mse;
pub use multi_margin::MultiMargin;
pub use nll::Nll;
pub use penalty::{l1_penalty, l2_penalty};

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

/// Reduces the losses of the elements.
fn reduce(losses: &Tensor, reduction: Reduction) -> Result<Tensor> {
    match reduction {
        Reduction::Mean => losses.mean_all(),
        Reduction::Sum => losses.sum_all(),
        Reduction::None => Ok(losses.clone()),
    }
}
