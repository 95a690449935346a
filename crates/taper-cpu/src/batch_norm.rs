//! Batch norm in training mode (Ioffe and Szegedy 2015) of `x: [N, C, …]`, fused with the residual addition and the
//! activation that follow it, and its gradients: `y = f((x − μ) · weight / √(σ² + ε) + bias + residual)` with each
//! channel's mean μ and biased variance σ² over all M = N · … rows.
//!
//! The channels are moved last, which copies nothing if the layout already is channels-last; all kernels then work on
//! rows of `C` elements. Rows are processed in pieces that stay in the L1 cache, so that `f` and its derivative take no
//! extra pass over memory. f32 is summed in f32 over [`RUN`] rows, then in f64.

mod backward;
mod forward;
mod moments;
mod passes;

use crate::layer_norm::joined;
use crate::long_sum::RUN;
use crate::math::Float;
use crate::parallel::TASK;
use crate::storage::for_float;
use crate::views::permute;
use crate::{CpuBackend, Isa};
use backward::backward;
use forward::{block, normalise, normalise_and_add};
use taper_backend::{Activation, Buffer, Error, FusedOp, FusedOutput, Result, Rim, Saved};

/// The approximate number of elements of a piece.
const PIECE: usize = 2048;

/// The number of tasks that are enough.
const TASKS: usize = 32;

/// The number of channels that kernels process at a time. Kernels read along the rows, since sequential reads are the
/// fastest.
const TILE: usize = 32;

/// Elements `left..left + TILE`.
#[inline(always)]
fn tile<T: Float>(x: &[T], left: usize) -> [T; TILE] {
    let mut tile = [T::ZERO; TILE];
    tile.copy_from_slice(&x[left..left + TILE]);
    tile
}

/// What [`statistics`] saves: each channel's mean and 1 / √(σ² + ε).
struct ChannelMoments {
    mean: Vec<f64>,
    inverse: Vec<f64>,
}

/// `count` rows of `channels` elements, and their division into tasks and pieces.
#[derive(Clone, Copy)]
struct Rows {
    channels: usize,
    count: usize,
}

impl Rows {
    /// The number of elements of a task: whole rows. Each task has sums of its own for each channel, so that there are
    /// not more than [`TASKS`] of them as long as a task stays in the L2 cache.
    fn task(self) -> usize {
        let elements = (self.count * self.channels / TASKS).clamp(TASK, 4 * TASK);
        (elements / self.channels).max(1) * self.channels
    }

    /// The number of elements of a piece of a task: at most [`RUN`] whole rows.
    fn piece(self) -> usize {
        (PIECE / self.channels).clamp(1, RUN) * self.channels
    }
}

/// The normalisation of each channel as (x − m) · a + b. m is μ rounded to `T`; b includes the correction for that
/// rounding.
struct Line<T> {
    mean: Vec<T>,
    factor: Vec<T>,
    offset: Vec<T>,
}

impl<T: Float> Line<T> {
    fn new(cpu: &CpuBackend, moments: &ChannelMoments, weight: Option<&Buffer>, bias: Option<&Buffer>) -> Result<Self> {
        let channels = moments.mean.len();
        let (weight, bias) = (values::<T>(cpu, weight, channels, 1.0)?, values::<T>(cpu, bias, channels, 0.0)?);
        let factor = || weight.iter().zip(&moments.inverse).map(|(w, i)| w * i);
        let mean = rounded::<T>(moments.mean.iter().copied());
        let exact = bias.iter().zip(moments.mean.iter().zip(&mean)).zip(factor());
        let offset = rounded(exact.map(|((bias, (mean, m)), a)| bias - (mean - m.wide()) * a));
        Ok(Self { mean, factor: rounded(factor()), offset })
    }

    /// Fills `z` from whole rows of `x`, plus the residual if there is one.
    fn fill(&self, isa: Isa, x: &[T], residual: Option<&[T]>, z: &mut [T]) {
        match residual {
            None => normalise(isa, x, &self.mean, &self.factor, &self.offset, z),
            Some(r) => normalise_and_add(isa, x, r, &self.mean, &self.factor, &self.offset, z),
        }
    }
}

/// `x` as rows of channels: `[N, …, C]`, row-major.
fn channels_to_end(cpu: &CpuBackend, x: &Buffer) -> Result<Buffer> {
    let rank = x.shape().rank();
    let order: Vec<usize> = std::iter::once(0).chain(2..rank).chain(std::iter::once(1)).collect();
    cpu.to_contiguous(&permute(cpu, x, &order)?)
}

/// The inverse of [`channels_to_end`].
fn channels_back(cpu: &CpuBackend, y: &Buffer) -> Result<Buffer> {
    let rank = y.shape().rank();
    let order: Vec<usize> = [0, rank - 1].into_iter().chain(1..rank - 1).collect();
    permute(cpu, y, &order)
}

/// The values of a weight or bias `[C]`; if there is none, `otherwise` for each channel.
fn values<T: Float>(cpu: &CpuBackend, x: Option<&Buffer>, channels: usize, otherwise: f64) -> Result<Vec<f64>> {
    let Some(x) = x else { return Ok(vec![otherwise; channels]) };
    let x = cpu.to_contiguous(x)?;
    Ok(cpu.view::<T>(&x)?.contiguous().unwrap_or_default().iter().map(|x| x.wide()).collect())
}

fn rounded<T: Float>(values: impl Iterator<Item = f64>) -> Vec<T> {
    values.map(T::of).collect()
}

/// `values` as a buffer `[C]`, rounded to `T`.
fn vector<T: Float>(cpu: &CpuBackend, values: Vec<f64>) -> Result<Buffer> {
    let channels = values.len();
    joined::<T>(cpu, &[values], 0, &[channels].into())
}

pub(crate) fn fused(cpu: &CpuBackend, op: &FusedOp<'_>) -> Rim<FusedOutput> {
    match *op {
        FusedOp::BatchNormStats { x, eps } => statistics(cpu, x, eps),
        FusedOp::BatchNormBlock { x, weight, bias, residual, stats, f } => {
            normalised(cpu, x, stats, [weight, bias, residual], f).map(|y| Some(y.into()))
        }
        FusedOp::BatchNorm { x, weight, bias, eps } => {
            let Some(FusedOutput { y: mean, more, saved }) = statistics(cpu, x, eps)? else { return Ok(None) };
            let y = normalised(cpu, x, &saved, [weight, bias, None], Activation::Identity)?;
            let more = std::iter::once(mean).chain(more).collect();
            Ok(Some(FusedOutput { y, more, saved }))
        }
        _ => Ok(None),
    }
}

pub(crate) fn fused_grad(
    cpu: &CpuBackend,
    op: &FusedOp<'_>,
    g: &Buffer,
    saved: &Saved,
    needs: &[bool],
) -> Rim<Vec<Option<Buffer>>> {
    match *op {
        FusedOp::BatchNormBlock { x, weight, bias, residual, stats, f } => {
            let found = gradients(cpu, g, stats, x, [weight, bias, residual], f, op.spread(needs))?;
            Ok(Some(op.gathered(found)))
        }
        FusedOp::BatchNorm { x, weight, .. } => {
            let found = gradients(cpu, g, saved, x, [weight, None, None], Activation::Identity, op.spread(needs))?;
            Ok(Some(op.gathered(found)))
        }
        _ => Ok(None),
    }
}

/// Each channel's mean and biased variance.
fn statistics(cpu: &CpuBackend, x: &Buffer, eps: f64) -> Rim<FusedOutput> {
    if x.count() == 0 {
        return Ok(None);
    }
    for_float!(x.dtype(), T => {
        let rows = channels_to_end(cpu, x)?;
        let channels = x.shape()[1];
        let from = cpu.view::<T>(&rows)?.contiguous().unwrap_or_default();
        let (mean, variance) = moments::moments(cpu, from, Rows { channels, count: from.len() / channels });
        let inverse = variance.iter().map(|v| 1.0 / (v + eps).sqrt()).collect();
        let (y, more) = (vector::<T>(cpu, mean.clone())?, vec![vector::<T>(cpu, variance)?]);
        Ok(Some(FusedOutput { y, more, saved: Saved::new(ChannelMoments { mean, inverse }) }))
    }, else Ok(None))
}

/// The moments that [`statistics`] saved.
fn saved_moments<'a>(op: &'static str, saved: &'a Saved) -> Result<&'a ChannelMoments> {
    saved.get::<ChannelMoments>().ok_or_else(|| Error::argument(op, "called without what the statistics saved"))
}

/// The output of batch norm's second half.
fn normalised(
    cpu: &CpuBackend,
    x: &Buffer,
    saved: &Saved,
    [weight, bias, residual]: [Option<&Buffer>; 3],
    f: Activation,
) -> Result<Buffer> {
    const OP: &str = "batch_norm_block";
    let moments = saved_moments(OP, saved)?;
    for_float!(x.dtype(), T => {
        let line = Line::<T>::new(cpu, moments, weight, bias)?;
        block::<T>(cpu, x, residual, &line, f)
    }, else Err(cpu.unsupported(OP, x.dtype())))
}

/// The gradients of input, weight, bias and residual.
fn gradients(
    cpu: &CpuBackend,
    g: &Buffer,
    saved: &Saved,
    x: &Buffer,
    [weight, bias, residual]: [Option<&Buffer>; 3],
    f: Activation,
    needs: [bool; 4],
) -> Result<[Option<Buffer>; 4]> {
    const OP: &str = "batch_norm_block_grad";
    let moments = saved_moments(OP, saved)?;
    for_float!(x.dtype(), T => {
        let line = Line::<T>::new(cpu, moments, weight, bias)?;
        backward::<T>(cpu, g, moments, x, residual, &line, f, needs)
    }, else Err(cpu.unsupported(OP, x.dtype())))
}
