//! Batch norm in training (Ioffe and Szegedy 2015) of `x: [N, C, …]`, and its gradients.
//!
//! The channels are moved last, which costs nothing where they already lie so; then everything is rows of `C` elements.
//! `y = (x − μ) · weight / √(σ² + ε) + bias` with each channel's mean μ and biased variance σ² over all M rows.

use crate::CpuBackend;
use crate::isa::multiversion;
use crate::layer_norm::joined;
use crate::math::Float;
use crate::parallel::TASK;
use crate::storage::for_float;
use crate::views::permute;
use taper_backend::{Buffer, Error, ParamGrads, Result, Rim, Saved};

multiversion! {
    /// Adds the row's deviations from `shift`, and their squares, to the sums of each channel.
    fn add_moments<T: Float>(x: &[T], shift: &[f64], sum: &mut [f64], square: &mut [f64]) {
        for (((&x, &shift), sum), square) in x.iter().zip(shift).zip(sum).zip(square) {
            let d = x.wide() - shift;
            *sum += d;
            *square += d * d;
        }
    }
}

multiversion! {
    /// Adds the row's g, and g · (x − μ), to the sums of each channel.
    fn add_products<T: Float>(g: &[T], x: &[T], mean: &[f64], sum: &mut [f64], product: &mut [f64]) {
        for ((((&g, &x), &mean), sum), product) in g.iter().zip(x).zip(mean).zip(sum).zip(product) {
            *sum += g.wide();
            *product += g.wide() * (x.wide() - mean);
        }
    }
}

multiversion! {
    /// (x − μ) · a + b
    fn normalise<T: Float>(x: &[T], mean: &[T], a: &[T], b: &[T], y: &mut [T]) {
        for ((((y, &x), &mean), &a), &b) in y.iter_mut().zip(x).zip(mean).zip(a).zip(b) {
            *y = (x - mean) * a + b;
        }
    }
}

multiversion! {
    /// (g − c) · a − (x − μ) · b
    fn normalise_grad<T: Float>(g: &[T], x: &[T], mean: &[T], a: &[T], b: &[T], c: &[T], out: &mut [T]) {
        for ((((((out, &g), &x), &mean), &a), &b), &c) in
            out.iter_mut().zip(g).zip(x).zip(mean).zip(a).zip(b).zip(c)
        {
            *out = (g - c) * a - (x - mean) * b;
        }
    }
}

/// Each channel's mean and 1 / √(σ² + ε).
struct Kept {
    mean: Vec<f64>,
    inverse: Vec<f64>,
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

/// Sums over rows: groups of rows of a fixed number, then the groups in order. `f(row, sums)` adds to `2 · channels` sums.
fn over_rows(
    cpu: &CpuBackend,
    rows: usize,
    channels: usize,
    f: impl Fn(usize, &mut [f64], &mut [f64]) + Send + Sync,
) -> Vec<Vec<f64>> {
    let group = (2 * TASK / channels).max(16);
    cpu.map_tasks(rows.div_ceil(group), rows * channels, |task| {
        let mut sums = vec![0.0; 2 * channels];
        let (a, b) = sums.split_at_mut(channels);
        (task * group..rows.min((task + 1) * group)).for_each(|row| f(row, a, b));
        sums
    })
}

/// The groups' sums as one list of `2 · channels`.
fn totals(parts: &[Vec<f64>], channels: usize) -> Vec<f64> {
    (0..2 * channels).map(|i| parts.iter().map(|part| part[i]).sum()).collect()
}

/// The values of a weight or bias `[C]`, or a constant.
fn values<T: Float>(cpu: &CpuBackend, x: Option<&Buffer>, channels: usize, otherwise: f64) -> Result<Vec<f64>> {
    let Some(x) = x else { return Ok(vec![otherwise; channels]) };
    let x = cpu.to_contiguous(x)?;
    Ok(cpu.view::<T>(&x)?.contiguous().unwrap_or_default().iter().map(|x| x.wide()).collect())
}

fn rounded<T: Float>(values: impl Iterator<Item = f64>) -> Vec<T> {
    values.map(T::of).collect()
}

pub(crate) fn batch_norm(
    cpu: &CpuBackend,
    x: &Buffer,
    weight: Option<&Buffer>,
    bias: Option<&Buffer>,
    eps: f64,
) -> Rim<(Buffer, Buffer, Buffer, Saved)> {
    if x.count() == 0 {
        return Ok(None);
    }
    for_float!(x.dtype(), T => forward::<T>(cpu, x, weight, bias, eps).map(Some), else Ok(None))
}

fn forward<T: Float>(
    cpu: &CpuBackend,
    x: &Buffer,
    weight: Option<&Buffer>,
    bias: Option<&Buffer>,
    eps: f64,
) -> Result<(Buffer, Buffer, Buffer, Saved)> {
    let channels = x.shape()[1];
    let x = channels_to_end(cpu, x)?;
    let from = cpu.view::<T>(&x)?.contiguous().unwrap_or_default();
    let rows = from.len() / channels;
    let row = |i: usize| &from[i * channels..][..channels];
    let (weight, bias) = (values::<T>(cpu, weight, channels, 1.0)?, values::<T>(cpu, bias, channels, 0.0)?);

    // Moments about the first row first: near enough to the mean that a second pass about the mean so found is exact.
    let first: Vec<f64> = row(0).iter().map(|x| x.wide()).collect();
    let about = |shift: &[f64]| {
        totals(&over_rows(cpu, rows, channels, |i, a, b| add_moments(cpu.isa(), row(i), shift, a, b)), channels)
    };
    let mean: Vec<f64> = about(&first).iter().zip(&first).map(|(sum, first)| first + sum / rows as f64).collect();
    let moments = about(&mean);
    let variance: Vec<f64> = moments[channels..].iter().map(|square| square / rows as f64).collect();
    let inverse: Vec<f64> = variance.iter().map(|v| 1.0 / (v + eps).sqrt()).collect();

    let m = rounded::<T>(mean.iter().copied());
    let a = rounded::<T>(weight.iter().zip(&inverse).map(|(w, i)| w * i));
    // What rounding the mean took away goes to the bias.
    let exact = bias.iter().zip(&mean).zip(m.iter().zip(weight.iter().zip(&inverse)));
    let b = rounded::<T>(exact.map(|((bias, mean), (m, (w, i)))| bias - (mean - m.wide()) * w * i));
    let mut out = cpu.pool().alloc::<T>(from.len())?;
    let group = (TASK / channels).max(1);
    cpu.for_chunks(&mut out, group * channels, from.len(), |task, out| {
        for (i, out) in out.chunks_exact_mut(channels).enumerate() {
            normalise(cpu.isa(), row(task * group + i), &m, &a, &b, out);
        }
    });
    let y = channels_back(cpu, &cpu.wrap(x.shape().clone(), out))?;
    let vector = |values: &[f64]| joined::<T>(cpu, &[values.to_vec()], 0, &[channels].into());
    let (mean_buffer, variance_buffer) = (vector(&mean)?, vector(&variance)?);
    Ok((y, mean_buffer, variance_buffer, Saved::new(Kept { mean, inverse })))
}

pub(crate) fn batch_norm_grad(
    cpu: &CpuBackend,
    g: &Buffer,
    saved: &Saved,
    x: &Buffer,
    weight: Option<&Buffer>,
    needs: [bool; 3],
) -> Result<ParamGrads> {
    const OP: &str = "batch_norm_grad";
    let kept = saved.get::<Kept>().ok_or_else(|| Error::argument(OP, "called without what the forward saved"))?;
    for_float!(g.dtype(), T => backward::<T>(cpu, g, kept, x, weight, needs), else Err(cpu.unsupported(OP, g.dtype())))
}

fn backward<T: Float>(
    cpu: &CpuBackend,
    g: &Buffer,
    Kept { mean, inverse }: &Kept,
    x: &Buffer,
    weight: Option<&Buffer>,
    [need_x, need_weight, need_bias]: [bool; 3],
) -> Result<ParamGrads> {
    let channels = x.shape()[1];
    let (g, x) = (channels_to_end(cpu, g)?, channels_to_end(cpu, x)?);
    let gs = cpu.view::<T>(&g)?.contiguous().unwrap_or_default();
    let xs = cpu.view::<T>(&x)?.contiguous().unwrap_or_default();
    let rows = xs.len() / channels;
    let row = |i: usize| (&gs[i * channels..][..channels], &xs[i * channels..][..channels]);
    let parts = over_rows(cpu, rows, channels, |i, a, b| {
        let (g, x) = row(i);
        add_products(cpu.isa(), g, x, mean, a, b);
    });
    let sums = totals(&parts, channels);
    let (sum, product) = sums.split_at(channels);

    let mut grads = ParamGrads::default();
    if need_x {
        // (g − Σg / M) · w / s − (x − μ) · Σg(x − μ) / M · w / s³, with s = √(σ² + ε).
        let weight = values::<T>(cpu, weight, channels, 1.0)?;
        let n = rows as f64;
        let scale = || weight.iter().zip(inverse).map(|(w, i)| w * i);
        let a = rounded::<T>(scale());
        let b = rounded::<T>(scale().zip(inverse).zip(product).map(|((a, i), p)| a * i * i * p / n));
        let c = rounded::<T>(sum.iter().map(|s| s / n));
        let m = rounded::<T>(mean.iter().copied());
        let mut out = cpu.pool().alloc::<T>(xs.len())?;
        let group = (TASK / channels).max(1);
        cpu.for_chunks(&mut out, group * channels, xs.len(), |task, out| {
            for (i, out) in out.chunks_exact_mut(channels).enumerate() {
                let (g, x) = row(task * group + i);
                normalise_grad(cpu.isa(), g, x, &m, &a, &b, &c, out);
            }
        });
        grads.x = Some(channels_back(cpu, &cpu.wrap(x.shape().clone(), out))?);
    }
    let vector = |values: Vec<f64>| joined::<T>(cpu, &[values], 0, &[channels].into());
    if need_weight {
        grads.weight = Some(vector(product.iter().zip(inverse).map(|(p, i)| p * i).collect())?);
    }
    if need_bias {
        grads.bias = Some(vector(sum.to_vec())?);
    }
    Ok(grads)
}
