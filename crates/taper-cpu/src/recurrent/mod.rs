//! One direction of a recurrent layer over all steps, and its gradients.
//!
//! The products of all steps' inputs with W_i are one product, before the steps. The samples of a batch do not depend on
//! each other, so that a task takes a group of samples through all steps, without waiting for any other: W_h is packed
//! once, and stays in the cache of each core. The backward pass goes through the steps the same way and leaves the
//! gradients of the gates; those of the weights and of the input are then products over all steps.

mod backward;
mod cells;
mod forward;

use crate::CpuBackend;
use crate::gemm::Real;
use crate::memory::Block;
use crate::storage::{Stored, for_float};
use taper_backend::{Buffer, Error, FusedOp, FusedOutput, RecurrentCell, Result, Rim, Saved};

/// The samples of a group, where there are enough for several: each panel of the packed weights is read for as many.
const GROUP: usize = 16;
/// The fewest samples of a group, unless there is only one group.
const SMALLEST: usize = 8;

/// The operation's operands and attributes.
#[derive(Clone, Copy)]
struct Layer<'a> {
    x: &'a Buffer,
    weight_ih: &'a Buffer,
    weight_hh: &'a Buffer,
    bias_ih: Option<&'a Buffer>,
    bias_hh: Option<&'a Buffer>,
    h_0: Option<&'a Buffer>,
    c_0: Option<&'a Buffer>,
    lengths: Option<&'a Buffer>,
    cell: RecurrentCell,
    reverse: bool,
}

impl<'a> Layer<'a> {
    /// `None` for other operations, and where there are no samples, which take no kernel.
    fn of(op: &FusedOp<'a>) -> Option<Self> {
        let FusedOp::Recurrent { x, weight_ih, weight_hh, bias_ih, bias_hh, h_0, c_0, lengths, cell, reverse } = *op
        else {
            return None;
        };
        let layer = Self { x, weight_ih, weight_hh, bias_ih, bias_hh, h_0, c_0, lengths, cell, reverse };
        (x.count() > 0 && weight_hh.count() > 0).then_some(layer)
    }

    fn sizes(&self) -> Sizes {
        let (shape, hidden) = (self.x.shape(), self.weight_hh.shape()[1]);
        let wide = self.weight_hh.shape()[0];
        let batch = shape[1];
        let group = if batch >= 2 * GROUP { GROUP } else { batch.div_ceil(2).max(SMALLEST) };
        Sizes { steps: shape[0], batch, input: shape[2], hidden, wide, group }
    }

    /// The step that is taken `i`th.
    fn step(&self, i: usize, sizes: &Sizes) -> usize {
        if self.reverse { sizes.steps - 1 - i } else { i }
    }

    /// The number of steps of each sample.
    fn lengths(&self, cpu: &CpuBackend, sizes: &Sizes) -> Result<Vec<usize>> {
        let Some(lengths) = self.lengths else { return Ok(vec![sizes.steps; sizes.batch]) };
        let lengths = cpu.to_contiguous(lengths)?;
        let values = cpu.view::<i64>(&lengths)?.contiguous().unwrap_or_default();
        let one = |(i, &length): (usize, &i64)| match usize::try_from(length) {
            Ok(length @ 1..) if length <= sizes.steps => Ok(length),
            _ => {
                let detail = format!("the length of sample {i} is {length}, expected 1 to {}", sizes.steps);
                Err(Error::argument("recurrent", detail))
            }
        };
        values.iter().enumerate().map(one).collect()
    }
}

/// The sizes of a layer.
#[derive(Clone, Copy)]
struct Sizes {
    steps: usize,
    batch: usize,
    input: usize,
    hidden: usize,
    /// The rows of the weights: gates · hidden.
    wide: usize,
    /// The samples of a task. It depends on the batch alone.
    group: usize,
}

impl Sizes {
    /// The number of rows of all steps.
    fn rows(&self) -> usize {
        self.steps * self.batch
    }

    /// The multiplications of all steps' products with W_h.
    fn cost(&self) -> usize {
        self.rows().saturating_mul(self.hidden).saturating_mul(self.wide)
    }
}

/// What the forward saves.
struct SavedSteps<T: Stored> {
    /// The gates after their functions, `[T, N, gates · H]`.
    gates: Block<T>,
    /// For LSTM c after each step, for GRU W_h h + b_h of n, `[T, N, H]`; empty for the others.
    inner: Block<T>,
    /// The output.
    y: Buffer,
}

pub(crate) fn fused(cpu: &CpuBackend, op: &FusedOp<'_>) -> Rim<FusedOutput> {
    let Some(layer) = Layer::of(op) else { return Ok(None) };
    for_float!(layer.x.dtype(), T => forward::run::<T>(cpu, &layer).map(Some), else Ok(None))
}

pub(crate) fn fused_grad(
    cpu: &CpuBackend,
    op: &FusedOp<'_>,
    g: &Buffer,
    saved: &Saved,
    needs: &[bool],
) -> Rim<Vec<Option<Buffer>>> {
    let Some(layer) = Layer::of(op) else { return Ok(None) };
    for_float!(g.dtype(), T => {
        let steps = saved
            .get::<SavedSteps<T>>()
            .ok_or_else(|| Error::argument(op.grad_name(), "called without what recurrent of cpu returned"))?;
        Ok(Some(op.gathered(backward::run::<T>(cpu, &layer, g, steps, op.spread(needs))?)))
    }, else Err(cpu.unsupported(op.grad_name(), g.dtype())))
}

/// `x` in row-major order.
fn dense(cpu: &CpuBackend, x: Option<&Buffer>) -> Result<Option<Buffer>> {
    x.map(|x| cpu.to_contiguous(x)).transpose()
}

/// The elements of what [`dense`] gave; none where there is no buffer.
fn elements<'a, T: Real + Stored>(cpu: &CpuBackend, x: Option<&'a Buffer>) -> Result<&'a [T]> {
    Ok(x.map(|x| cpu.view::<T>(x)).transpose()?.and_then(|view| view.contiguous()).unwrap_or_default())
}
