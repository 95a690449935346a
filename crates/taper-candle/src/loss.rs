//! Softmax and cross entropy, computed in f32 for halves.

use crate::backend::CandleBackend;
use crate::data::{CandleResult, beside, is_half, widened};
use crate::index::{gather, scatter_add};
use crate::reduce::{RUN, sum, sum_all};
use candle_core::{DType as CandleDType, Tensor};
use taper_backend::{CrossEntropySpec, Error};

/// Softmax along `axis`, or log-softmax if `log`.
pub(crate) fn softmax(x: &Tensor, axis: usize, log: bool) -> CandleResult<Tensor> {
    if x.elem_count() == 0 {
        return Ok(x.clone());
    }
    let last = x.rank() - 1;
    widened(&[x], |x| {
        if log {
            return log_softmax(&x[0], axis);
        }
        if x[0].dims()[axis] > RUN {
            // Candle's own softmax adds up a whole row one after another in the row's dtype.
            let x = x[0].contiguous()?;
            let exponentials = x.broadcast_sub(&x.max_keepdim(axis)?)?.exp()?;
            return exponentials.broadcast_div(&sum(&exponentials, &[axis])?);
        }
        let rows = x[0].transpose(axis, last)?.contiguous()?;
        candle_nn::ops::softmax_last_dim(&rows)?.transpose(axis, last)
    })
}

fn log_softmax(x: &Tensor, axis: usize) -> CandleResult<Tensor> {
    let x = x.contiguous()?;
    let shifted = x.broadcast_sub(&x.max_keepdim(axis)?)?;
    shifted.broadcast_sub(&sum(&shifted.exp()?, &[axis])?.log()?)
}

/// The gradient of [`softmax`] with respect to its input, from the output `y`: y · (g − Σ g·y), or g − eʸ · Σ g if
/// `log`.
pub(crate) fn softmax_grad(g: &Tensor, y: &Tensor, axis: usize, log: bool) -> CandleResult<Tensor> {
    if y.elem_count() == 0 {
        return Ok(y.clone());
    }
    widened(&[g, y], |t| {
        let (g, y) = (t[0].contiguous()?, t[1].contiguous()?);
        if log {
            g.sub(&y.exp()?.broadcast_mul(&sum(&g, &[axis])?)?)
        } else {
            y.mul(&g.broadcast_sub(&sum(&(&g * &y)?, &[axis])?)?)
        }
    })
}

/// The values that the backward pass of cross entropy needs.
#[derive(Debug)]
pub(crate) struct SavedLoss {
    /// Log-softmax of the logits, `[N, C]`, in f32 or f64.
    log_probs: Tensor,
    /// The class of each row, `[N, 1]`; 0 for an ignored row.
    classes: Tensor,
    /// 1 / (number of rows that count) for a row that counts, 0 for an ignored one: `[N, 1]`.
    share: Tensor,
    dtype: CandleDType,
    smoothing: f64,
}

impl CandleBackend {
    /// The mean cross entropy, a scalar, of `logits: [N, C]` with the classes `target: [N]`, and what its gradient
    /// needs.
    pub(crate) fn cross_entropy_of(
        &self,
        logits: &Tensor,
        target: &Tensor,
        spec: &CrossEntropySpec,
    ) -> CandleResult<(Tensor, SavedLoss)> {
        let (rows, classes) = logits.dims2()?;
        let dtype = logits.dtype();
        let wide = if is_half(dtype) { logits.to_dtype(CandleDType::F32)? } else { logits.clone() };
        let column = target.contiguous()?.reshape((rows, 1))?;
        let counted = column.ne(&beside(&column, spec.ignore_index as f64)?)?;
        let known = counted.where_cond(&column, &beside(&column, 0.0)?)?;
        let ignored = spec.ignore_index;
        let index = self.in_range(&known, classes, || {
            let detail = format!(
                "a target is no class: expected 0 to {} (dim 1 of [{rows}, {classes}]) or ignore_index {ignored}",
                classes as i64 - 1
            );
            Error::argument("cross_entropy", detail)
        })?;
        let log_probs = log_softmax(&wide, 1)?;
        let ones = counted.to_dtype(log_probs.dtype())?;
        let mut losses = gather(&log_probs, 1, &index)?;
        if spec.label_smoothing > 0.0 {
            let mean = sum(&log_probs, &[1])?.affine(spec.label_smoothing / classes as f64, 0.0)?;
            // With a label smoothing of 1 the loss of the class itself is left out: it may be infinite, and 0 · ∞ is
            // NaN.
            let own = spec.label_smoothing < 1.0;
            losses = if own { losses.affine(1.0 - spec.label_smoothing, 0.0)?.add(&mean)? } else { mean };
        }
        // An ignored row adds nothing, even if its logits are NaN.
        let losses = counted.where_cond(&losses, &beside(&losses, 0.0)?)?;
        // If no row counts, the loss is 0 / 0 = NaN, as the mean of nothing, and its gradient is 0.
        let share = counted.where_cond(&ones.broadcast_div(&sum_all(&ones)?)?, &beside(&ones, 0.0)?)?;
        let loss = sum_all(&losses)?.neg()?.div(&sum_all(&ones)?)?.to_dtype(dtype)?;
        Ok((loss, SavedLoss { log_probs, classes: index, share, dtype, smoothing: spec.label_smoothing }))
    }
}

/// The gradient of cross entropy with respect to the logits, `[N, C]`, for the scalar cotangent `g`:
/// (softmax − target) · g / number of rows that count.
pub(crate) fn cross_entropy_grad(g: &Tensor, saved: &SavedLoss) -> CandleResult<Tensor> {
    let SavedLoss { log_probs, classes, share, dtype, smoothing } = saved;
    let width = log_probs.dims()[1];
    let target = share.affine(smoothing - 1.0, 0.0)?; // −(1 − ε) · share
    let probs = log_probs.exp()?.affine(1.0, -smoothing / width as f64)?;
    // An ignored row may hold NaN: it is replaced by 0, not multiplied by 0.
    let counts = share.gt(&beside(share, 0.0)?)?.broadcast_as(probs.shape())?;
    let probs = counts.where_cond(&probs, &beside(&probs, 0.0)?)?;
    let x = scatter_add(&probs.broadcast_mul(share)?, 1, classes, &target)?;
    x.broadcast_mul(&g.to_dtype(x.dtype())?)?.to_dtype(*dtype)
}
