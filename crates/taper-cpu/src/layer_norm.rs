//! Layer norm (Ba, Kiros and Hinton 2016) and its gradients. The normalised last dimensions are flattened to rows of
//! `width` elements: `y = (x − μ) / √(σ² + ε) · weight + bias`, with the row's mean μ and biased variance σ².

use crate::CpuBackend;
use crate::isa::multiversion;
use crate::math::Float;
use crate::parallel::TASK;
use crate::storage::{Stored, for_float};
use taper_backend::{Buffer, Error, FusedOp, FusedOutput, Result, Rim, Saved, Shape};

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
        let mean = lane_sums(x.len(), |i| (x[i].wide(), 0.0)).0 / n;
        let square = lane_sums(x.len(), |i| (0.0, (x[i].wide() - mean) * (x[i].wide() - mean))).1;
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

/// What the forward saves: the mean and 1 / √(σ² + ε) of each row.
struct RowMoments(Vec<(f64, f64)>);

/// The weight or bias in row-major order; if there is none, a buffer of `shape` filled with `otherwise`.
fn vector<T: Float>(cpu: &CpuBackend, x: Option<&Buffer>, shape: &[usize], otherwise: f64) -> Result<Buffer> {
    match x {
        Some(x) => cpu.to_contiguous(x),
        None => crate::transfer::fill(cpu, &shape.into(), T::DTYPE, otherwise),
    }
}

pub(crate) fn fused(cpu: &CpuBackend, op: &FusedOp<'_>) -> Rim<FusedOutput> {
    let FusedOp::LayerNorm { x, weight, bias, dims, eps } = *op else { return Ok(None) };
    if x.count() == 0 {
        return Ok(None);
    }
    for_float!(x.dtype(), T => forward::<T>(cpu, x, weight, bias, dims, eps).map(Some), else Ok(None))
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
    let from = cpu.view::<T>(&x)?.contiguous().unwrap_or_default();
    let mut out = cpu.pool().alloc::<T>(from.len())?;
    let mut moments = vec![(0.0, 0.0); from.len() / width];
    let group = (TASK / 4 / width).max(1);
    let mut parts: Vec<_> = out.chunks_mut(group * width).zip(moments.chunks_mut(group)).collect();
    cpu.for_chunks(&mut parts, 1, from.len() * 2, |task, parts| {
        for (out, moments) in parts {
            let from = &from[task * group * width..];
            for ((y, x), moments) in out.chunks_exact_mut(width).zip(from.chunks_exact(width)).zip(moments.iter_mut()) {
                *moments = statistics(cpu.isa(), x, eps);
                normalise(cpu.isa(), x, T::of(moments.0), T::of(moments.1), w, b, y);
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
    let FusedOp::LayerNorm { x, weight, dims, .. } = *op else { return Ok(None) };
    const OP: &str = "layer_norm_grad";
    let moments =
        saved.get::<RowMoments>().ok_or_else(|| Error::argument(OP, "called without what the forward saved"))?;
    for_float!(g.dtype(), T => {
        Ok(Some(op.gathered(backward::<T>(cpu, g, &moments.0, x, weight, dims, op.spread(needs))?)))
    }, else Err(cpu.unsupported(OP, g.dtype())))
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

/// The elementwise sum of `parts`, added in order, as a buffer of `shape`; each part is read from element `from` on.
pub(crate) fn joined<T: Stored>(cpu: &CpuBackend, parts: &[Vec<f64>], from: usize, shape: &Shape) -> Result<Buffer> {
    let mut block = cpu.pool().alloc::<T>(shape.count())?;
    for (i, y) in block.iter_mut().enumerate() {
        *y = T::from_f64(parts.iter().map(|part| part[from + i]).sum());
    }
    Ok(cpu.wrap(shape.clone(), block))
}
