//! Layer norm (Ba, Kiros and Hinton 2016), RMS norm (Zhang and Sennrich 2019) and their gradients. The normalised last
//! dimensions are flattened to rows of `width` elements: `y = (x − μ) / √(σ² + ε) · weight + bias`, with the row's mean μ
//! and biased variance σ², and `y = x / √(mean(x²) + ε) · weight`.

use crate::CpuBackend;
use crate::isa::multiversion;
use crate::long_sum::{lane_sum, sum_of};
use crate::math::Float;
use crate::parallel::TASK;
use crate::storage::{Stored, for_float};
use taper_backend::{Buffer, DType, Error, FusedOp, FusedOutput, Result, Rim, Saved, Shape};

/// The number of f64 partial sums, added in order at the end.
const LANES: usize = 16;

/// The sums over `0..n` of both values that `f(i)` returns, in [`LANES`] partial sums.
#[inline(always)]
fn lane_sums(n: usize, f: impl Fn(usize) -> (f64, f64)) -> (f64, f64) {
    let mut lanes = [(0.0, 0.0); LANES];
    let add = |lane: &mut (f64, f64), (a, b): (f64, f64)| *lane = (lane.0 + a, lane.1 + b);
    let whole = n - n % LANES;
    for start in (0..whole).step_by(LANES) {
        for (lane, sums) in lanes.iter_mut().enumerate() {
            add(sums, f(start + lane));
        }
    }
    for (lane, i) in (whole..n).enumerate() {
        add(&mut lanes[lane], f(i));
    }
    lanes.iter().fold((0.0, 0.0), |sum, lane| (sum.0 + lane.0, sum.1 + lane.1))
}

multiversion! {
    /// The row's mean and 1 / √(σ² + ε).
    fn statistics<T: Float>(x: &[T], eps: f64) -> (f64, f64) {
        let n = x.len() as f64;
        let mean = sum_of(x, |x| x) / n;
        let square = sum_of(x, |x| (x - mean) * (x - mean));
        (mean, 1.0 / (square / n + eps).sqrt())
    }
}

multiversion! {
    fn normalise<T: Float>(x: &[T], mean: T, inverse: T, weight: &[T], bias: &[T], y: &mut [T]) {
        for (((y, &x), &w), &b) in y.iter_mut().zip(x).zip(weight).zip(bias) {
            *y = (x - mean) * inverse * w + b;
        }
    }
}

multiversion! {
    /// The row's gradient: (h − mean(h) − x̂ · mean(h · x̂)) / √(σ² + ε), with h = g · weight.
    fn row_grad<T: Float>(g: &[T], x: &[T], mean: T, inverse: T, weight: &[T], out: &mut [T]) {
        let n = out.len();
        let (g, x, weight) = (&g[..n], &x[..n], &weight[..n]);
        let (sum, product) = lane_sums(n, |i| {
            let h = (g[i] * weight[i]).wide();
            (h, h * ((x[i] - mean) * inverse).wide())
        });
        let (a, b) = (T::of(sum / n as f64), T::of(product / n as f64));
        for (((out, &g), &x), &w) in out.iter_mut().zip(g).zip(x).zip(weight) {
            *out = (g * w - a - (x - mean) * inverse * b) * inverse;
        }
    }
}

multiversion! {
    /// Adds the row's g · x̂ and g to the sums over rows.
    fn add_row<T: Float>(g: &[T], x: &[T], mean: T, inverse: T, weight: &mut [f64], bias: &mut [f64]) {
        for (((&g, &x), weight), bias) in g.iter().zip(x).zip(weight).zip(bias) {
            *weight += (g * ((x - mean) * inverse)).wide();
            *bias += g.wide();
        }
    }
}

multiversion! {
    /// RMS norm's scale of a row, a power of two, and 1 / √(mean((scale · x)²) + scale² · ε). The scale is 1 unless squares,
    /// or the quotient in `T`, could overflow or underflow.
    fn root_mean_square<T: Float>(x: &[T], eps: f64) -> (f64, f64) {
        let n = x.len() as f64;
        let squares = |scale: f64| lane_sum(x.len(), |i| (x[i].wide() * scale) * (x[i].wide() * scale)) / n;
        let direct = squares(1.0) + eps;
        if direct > 1e-50 && direct < 1e60 {
            return (1.0, 1.0 / direct.sqrt());
        }
        let largest = x.iter().fold(0.0f64, |largest, x| largest.max(x.wide().abs()));
        let most = if T::DTYPE == DType::F32 { 120.0 } else { 1000.0 };
        let exponent = if largest > 0.0 && largest.is_finite() { largest.log2().floor().clamp(-most, most) } else { 0.0 };
        let scale = (-exponent).exp2();
        (scale, 1.0 / squares(scale).sqrt().hypot(scale * eps.sqrt()))
    }
}

multiversion! {
    fn scale_row<T: Float>(x: &[T], scale: T, inverse: T, weight: &[T], y: &mut [T]) {
        for ((y, &x), &w) in y.iter_mut().zip(x).zip(weight) {
            *y = x * scale * inverse * w;
        }
    }
}

multiversion! {
    /// RMS norm's gradient of a row: (h − x̂ · mean(h · x̂)) · slope, with h = g · weight and slope = 1 / √(mean(x²) + ε).
    fn rms_row_grad<T: Float>(g: &[T], x: &[T], scale: T, inverse: T, slope: T, weight: &[T], out: &mut [T]) {
        let n = out.len();
        let (g, x, weight) = (&g[..n], &x[..n], &weight[..n]);
        let product = lane_sum(n, |i| (g[i] * weight[i]).wide() * (x[i] * scale * inverse).wide());
        let b = T::of(product / n as f64);
        for (((out, &g), &x), &w) in out.iter_mut().zip(g).zip(x).zip(weight) {
            *out = (g * w - x * scale * inverse * b) * slope;
        }
    }
}

multiversion! {
    /// Adds the row's g · x̂ to the sums over rows.
    fn add_rms_row<T: Float>(g: &[T], x: &[T], scale: T, inverse: T, weight: &mut [f64]) {
        for ((&g, &x), weight) in g.iter().zip(x).zip(weight) {
            *weight += (g * (x * scale * inverse)).wide();
        }
    }
}

/// What the forward saves of each row: for layer norm the mean and 1 / √(σ² + ε), for RMS norm what
/// [`root_mean_square`] gives.
struct RowMoments(Vec<(f64, f64)>);

/// The weight or bias in row-major order; if there is none, a buffer of `shape` filled with `otherwise`.
fn vector<T: Float>(cpu: &CpuBackend, x: Option<&Buffer>, shape: &[usize], otherwise: f64) -> Result<Buffer> {
    match x {
        Some(x) => cpu.to_contiguous(x),
        None => crate::transfer::fill(cpu, &shape.into(), T::DTYPE, otherwise),
    }
}

pub(crate) fn fused(cpu: &CpuBackend, op: &FusedOp<'_>) -> Rim<FusedOutput> {
    match *op {
        FusedOp::LayerNorm { x, weight, bias, dims, eps } if x.count() > 0 => {
            for_float!(x.dtype(), T => forward::<T>(cpu, x, weight, bias, dims, eps).map(Some), else Ok(None))
        }
        FusedOp::RmsNorm { x, weight, dims, eps } if x.count() > 0 => {
            for_float!(x.dtype(), T => rms_forward::<T>(cpu, x, weight, dims, eps).map(Some), else Ok(None))
        }
        _ => Ok(None),
    }
}

fn forward<T: Float>(
    cpu: &CpuBackend,
    x: &Buffer,
    weight: Option<&Buffer>,
    bias: Option<&Buffer>,
    dims: usize,
    eps: f64,
) -> Result<FusedOutput> {
    let inner = &x.shape()[x.shape().rank() - dims..];
    let width: usize = inner.iter().product();
    let (weight, bias) = (vector::<T>(cpu, weight, inner, 1.0)?, vector::<T>(cpu, bias, inner, 0.0)?);
    let (w, b) = (cpu.view::<T>(&weight)?, cpu.view::<T>(&bias)?);
    let (w, b) = (w.contiguous().unwrap_or_default(), b.contiguous().unwrap_or_default());
    let x = cpu.to_contiguous(x)?;
    rows(cpu, &x, width, |x, y| {
        let moments = statistics(cpu.isa(), x, eps);
        normalise(cpu.isa(), x, T::of(moments.0), T::of(moments.1), w, b, y);
        moments
    })
}

/// Computes each row of `width` elements of the contiguous `x` by `row`, which fills the output's row and gives the
/// moments that are saved for the gradient.
fn rows<T: Float>(
    cpu: &CpuBackend,
    x: &Buffer,
    width: usize,
    row: impl Fn(&[T], &mut [T]) -> (f64, f64) + Sync,
) -> Result<FusedOutput> {
    let from = cpu.view::<T>(x)?.contiguous().unwrap_or_default();
    let mut out = cpu.pool().alloc::<T>(from.len())?;
    let mut moments = vec![(0.0, 0.0); from.len() / width];
    let group = (TASK / 4 / width).max(1);
    let mut parts: Vec<_> = out.chunks_mut(group * width).zip(moments.chunks_mut(group)).collect();
    cpu.for_chunks(&mut parts, 1, from.len() * 2, |task, parts| {
        for (out, moments) in parts {
            let from = &from[task * group * width..];
            for ((y, x), moments) in out.chunks_exact_mut(width).zip(from.chunks_exact(width)).zip(moments.iter_mut()) {
                *moments = row(x, y);
            }
        }
    });
    Ok(FusedOutput::new(cpu.wrap(x.shape().clone(), out), Saved::new(RowMoments(moments))))
}

pub(crate) fn fused_grad(
    cpu: &CpuBackend,
    op: &FusedOp<'_>,
    g: &Buffer,
    saved: &Saved,
    needs: &[bool],
) -> Rim<Vec<Option<Buffer>>> {
    let name = op.grad_name();
    let rows =
        || saved.get::<RowMoments>().ok_or_else(|| Error::argument(name, "called without what the forward saved"));
    match *op {
        FusedOp::LayerNorm { x, weight, dims, .. } => for_float!(g.dtype(), T => {
            Ok(Some(op.gathered(backward::<T>(cpu, g, &rows()?.0, x, weight, dims, op.spread(needs))?)))
        }, else Err(cpu.unsupported(name, g.dtype()))),
        FusedOp::RmsNorm { x, weight, dims, .. } => for_float!(g.dtype(), T => {
            Ok(Some(op.gathered(rms_backward::<T>(cpu, g, &rows()?.0, x, weight, dims, op.spread(needs))?)))
        }, else Err(cpu.unsupported(name, g.dtype()))),
        _ => Ok(None),
    }
}

fn backward<T: Float>(
    cpu: &CpuBackend,
    g: &Buffer,
    moments: &[(f64, f64)],
    x: &Buffer,
    weight: Option<&Buffer>,
    dims: usize,
    [need_x, need_weight, need_bias]: [bool; 3],
) -> Result<[Option<Buffer>; 3]> {
    let inner: Shape = x.shape()[x.shape().rank() - dims..].into();
    let width = inner.count();
    let weight = vector::<T>(cpu, weight, &inner, 1.0)?;
    let w = cpu.view::<T>(&weight)?.contiguous().unwrap_or_default();
    let (g, x) = (cpu.to_contiguous(g)?, cpu.to_contiguous(x)?);
    let gs = cpu.view::<T>(&g)?.contiguous().unwrap_or_default();
    let xs = cpu.view::<T>(&x)?.contiguous().unwrap_or_default();
    let row =
        |i: usize| (&gs[i * width..][..width], &xs[i * width..][..width], T::of(moments[i].0), T::of(moments[i].1));
    let [mut of_x, mut of_weight, mut of_bias] = [None, None, None];
    if need_x {
        let mut out = cpu.pool().alloc::<T>(xs.len())?;
        let group = (TASK / 4 / width).max(1);
        cpu.for_chunks(&mut out, group * width, xs.len() * 2, |task, out| {
            for (i, out) in out.chunks_exact_mut(width).enumerate() {
                let (g, x, mean, inverse) = row(task * group + i);
                row_grad(cpu.isa(), g, x, mean, inverse, w, out);
            }
        });
        of_x = Some(cpu.wrap(x.shape().clone(), out));
    }
    if need_weight || need_bias {
        // Sums over groups of rows, which are then added in order.
        let group = (4 * TASK / width).max(16);
        let parts = cpu.map_tasks(moments.len().div_ceil(group), xs.len() * 2, |task| {
            let mut sums = vec![0.0; 2 * width];
            let (weight, bias) = sums.split_at_mut(width);
            for i in task * group..moments.len().min((task + 1) * group) {
                let (g, x, mean, inverse) = row(i);
                add_row(cpu.isa(), g, x, mean, inverse, weight, bias);
            }
            sums
        });
        let total = |from: usize| joined::<T>(cpu, &parts, from, &inner);
        of_weight = need_weight.then(|| total(0)).transpose()?;
        of_bias = need_bias.then(|| total(width)).transpose()?;
    }
    Ok([of_x, of_weight, of_bias])
}

fn rms_forward<T: Float>(
    cpu: &CpuBackend,
    x: &Buffer,
    weight: Option<&Buffer>,
    dims: usize,
    eps: f64,
) -> Result<FusedOutput> {
    let inner = &x.shape()[x.shape().rank() - dims..];
    let width: usize = inner.iter().product();
    let weight = vector::<T>(cpu, weight, inner, 1.0)?;
    let w = cpu.view::<T>(&weight)?.contiguous().unwrap_or_default();
    let x = cpu.to_contiguous(x)?;
    rows(cpu, &x, width, |x, y| {
        let moments = root_mean_square(cpu.isa(), x, eps);
        scale_row(cpu.isa(), x, T::of(moments.0), T::of(moments.1), w, y);
        moments
    })
}

/// The gradients of RMS norm's input and weight.
fn rms_backward<T: Float>(
    cpu: &CpuBackend,
    g: &Buffer,
    moments: &[(f64, f64)],
    x: &Buffer,
    weight: Option<&Buffer>,
    dims: usize,
    [need_x, need_weight]: [bool; 2],
) -> Result<[Option<Buffer>; 2]> {
    let inner: Shape = x.shape()[x.shape().rank() - dims..].into();
    let width = inner.count();
    let weight = vector::<T>(cpu, weight, &inner, 1.0)?;
    let w = cpu.view::<T>(&weight)?.contiguous().unwrap_or_default();
    let (g, x) = (cpu.to_contiguous(g)?, cpu.to_contiguous(x)?);
    let gs = cpu.view::<T>(&g)?.contiguous().unwrap_or_default();
    let xs = cpu.view::<T>(&x)?.contiguous().unwrap_or_default();
    let row = |i: usize| (&gs[i * width..][..width], &xs[i * width..][..width]);
    let [mut of_x, mut of_weight] = [None, None];
    if need_x {
        let mut out = cpu.pool().alloc::<T>(xs.len())?;
        let group = (TASK / 4 / width).max(1);
        cpu.for_chunks(&mut out, group * width, xs.len() * 2, |task, out| {
            for (i, out) in out.chunks_exact_mut(width).enumerate() {
                let ((g, x), (scale, inverse)) = (row(task * group + i), moments[task * group + i]);
                let (factor, slope) = (T::of(scale), T::of(scale * inverse));
                rms_row_grad(cpu.isa(), g, x, factor, T::of(inverse), slope, w, out);
            }
        });
        of_x = Some(cpu.wrap(x.shape().clone(), out));
    }
    if need_weight {
        // Sums over groups of rows, which are then added in order.
        let group = (4 * TASK / width).max(16);
        let parts = cpu.map_tasks(moments.len().div_ceil(group), xs.len() * 2, |task| {
            let mut sums = vec![0.0; width];
            for (i, &(scale, inverse)) in moments.iter().enumerate().skip(task * group).take(group) {
                let (g, x) = row(i);
                add_rms_row(cpu.isa(), g, x, T::of(scale), T::of(inverse), &mut sums);
            }
            sums
        });
        of_weight = Some(joined::<T>(cpu, &parts, 0, &inner)?);
    }
    Ok([of_x, of_weight])
}

/// The elementwise sum of `parts`, added in order, as a buffer of `shape`; each part is read from element `from` on.
pub(crate) fn joined<T: Stored>(cpu: &CpuBackend, parts: &[Vec<f64>], from: usize, shape: &Shape) -> Result<Buffer> {
    let mut block = cpu.pool().alloc::<T>(shape.count())?;
    for (i, y) in block.iter_mut().enumerate() {
        *y = T::from_f64(parts.iter().map(|part| part[from + i]).sum());
    }
    Ok(cpu.wrap(shape.clone(), block))
}
