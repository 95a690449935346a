//! Softmax `yᵢ = e^(xᵢ − m) / Σ e^(xⱼ − m)` with m = max x, or its logarithm, along one axis, and the gradients.

use crate::CpuBackend;
use crate::isa::multiversion;
use crate::long_sum::lane_sum;
use crate::math::Float;
use crate::parallel::TASK;
use crate::storage::for_float;
use crate::views::permute;
use taper_backend::{Buffer, Error, FusedOp, FusedOutput, Result, Rim, Saved};

/// The number of lanes in which the maximum is computed.
const LANES: usize = 16;

/// The maximum of `x`; NaN if any element is NaN.
#[inline(always)]
pub(crate) fn largest<T: Float>(x: &[T]) -> T {
    let mut lanes = [-T::INFINITY; LANES];
    let (groups, rest) = x.as_chunks::<LANES>();
    for group in groups {
        lanes.iter_mut().zip(group).for_each(|(lane, &x)| *lane = x.larger(*lane));
    }
    lanes.iter_mut().zip(rest).for_each(|(lane, &x)| *lane = x.larger(*lane));
    lanes.into_iter().fold(-T::INFINITY, |a, b| b.larger(a))
}

multiversion! {
    /// Fills `y` with e^(x − m), where m = max x, and returns m and Σ e^(x − m).
    pub(crate) fn exponentials<T: Float>(x: &[T], y: &mut [T]) -> (f64, f64) {
        let top = largest(x);
        for (y, &x) in y.iter_mut().zip(x) {
            *y = (x - top).exp();
        }
        (top.wide(), lane_sum(y.len(), |i| y[i].wide()))
    }
}

multiversion! {
    fn scale<T: Float>(factor: T, y: &mut [T]) {
        y.iter_mut().for_each(|y| *y = *y * factor);
    }
}

multiversion! {
    fn subtract<T: Float>(x: &[T], top: T, log_sum: T, y: &mut [T]) {
        y.iter_mut().zip(x).for_each(|(y, &x)| *y = (x - top) - log_sum);
    }
}

multiversion! {
    /// The gradient of a row: y (g − Σ g y), or for the logarithm g − e^y Σ g.
    fn row_grad<T: Float>(g: &[T], y: &[T], log: bool, out: &mut [T]) {
        let (g, y) = (&g[..out.len()], &y[..out.len()]);
        if log {
            let sum = T::of(lane_sum(out.len(), |i| g[i].wide()));
            for ((out, &g), &y) in out.iter_mut().zip(g).zip(y) {
                *out = g - y.exp() * sum;
            }
        } else {
            let sum = T::of(lane_sum(out.len(), |i| g[i].wide() * y[i].wide()));
            out.iter_mut().zip(g).zip(y).for_each(|((out, &g), &y)| *out = y * (g - sum));
        }
    }
}

/// `x` with `axis` moved last, row-major.
fn rows_along(cpu: &CpuBackend, x: &Buffer, axis: usize) -> Result<Buffer> {
    let mut order: Vec<usize> = (0..x.shape().rank()).filter(|&i| i != axis).collect();
    order.push(axis);
    cpu.to_contiguous(&permute(cpu, x, &order)?)
}

/// The inverse of the move in [`rows_along`].
fn moved_back(cpu: &CpuBackend, y: &Buffer, axis: usize) -> Result<Buffer> {
    let last = y.shape().rank() - 1;
    let mut order: Vec<usize> = (0..last).collect();
    order.insert(axis, last);
    permute(cpu, y, &order)
}

/// What the forward saves: its output.
struct SavedOutput(Buffer);

pub(crate) fn fused(cpu: &CpuBackend, op: &FusedOp<'_>) -> Rim<FusedOutput> {
    let FusedOp::Softmax { x, axis, log } = *op else { return Ok(None) };
    let y = softmax(cpu, x, axis, log)?;
    Ok(y.map(|y| FusedOutput::new(y.clone(), Saved::new(SavedOutput(y)))))
}

pub(crate) fn fused_grad(
    cpu: &CpuBackend,
    op: &FusedOp<'_>,
    g: &Buffer,
    saved: &Saved,
    _needs: &[bool],
) -> Rim<Vec<Option<Buffer>>> {
    let FusedOp::Softmax { axis, log, .. } = *op else { return Ok(None) };
    let SavedOutput(y) =
        saved.get().ok_or_else(|| Error::argument("softmax_grad", "called without what the forward saved"))?;
    Ok(softmax_grad(cpu, g, y, axis, log)?.map(|gradient| vec![Some(gradient)]))
}

fn softmax(cpu: &CpuBackend, x: &Buffer, axis: usize, log: bool) -> Rim<Buffer> {
    for_float!(x.dtype(), T => {
        let width = x.shape()[axis];
        let x = rows_along(cpu, x, axis)?;
        let from = cpu.view::<T>(&x)?.contiguous().unwrap_or_default();
        let mut out = cpu.pool().alloc::<T>(from.len())?;
        let chunk = (TASK / 4 / width.max(1)).max(1) * width;
        cpu.for_chunks(&mut out, chunk, from.len() * 4, |task, out| {
            let from = &from[task * chunk..][..out.len()];
            for (x, y) in from.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
                let (top, sum) = exponentials(cpu.isa(), x, y);
                if log {
                    subtract(cpu.isa(), x, T::of(top), T::of(sum.ln()), y);
                } else {
                    scale(cpu.isa(), T::of(1.0 / sum), y);
                }
            }
        });
        moved_back(cpu, &cpu.wrap(x.shape().clone(), out), axis).map(Some)
    }, else Ok(None))
}

fn softmax_grad(cpu: &CpuBackend, g: &Buffer, y: &Buffer, axis: usize, log: bool) -> Rim<Buffer> {
    for_float!(y.dtype(), T => {
        let width = y.shape()[axis];
        let (g, y) = (rows_along(cpu, g, axis)?, rows_along(cpu, y, axis)?);
        let gs = cpu.view::<T>(&g)?.contiguous().unwrap_or_default();
        let ys = cpu.view::<T>(&y)?.contiguous().unwrap_or_default();
        let mut out = cpu.pool().alloc::<T>(ys.len())?;
        let chunk = (TASK / 4 / width.max(1)).max(1) * width;
        cpu.for_chunks(&mut out, chunk, ys.len() * 4, |task, out| {
            let range = task * chunk..task * chunk + out.len();
            let rows = gs[range.clone()].chunks_exact(width).zip(ys[range].chunks_exact(width));
            for ((g, y), out) in rows.zip(out.chunks_exact_mut(width)) {
                row_grad(cpu.isa(), g, y, log, out);
            }
        });
        moved_back(cpu, &cpu.wrap(y.shape().clone(), out), axis).map(Some)
    }, else Ok(None))
}
