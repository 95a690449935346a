//! The gradients, from g = dL/dy. With h = g · f′ of what `f` was given, which is the residual's gradient too:
//!
//! dL/dbias = Σh, dL/dweight = Σh(x − μ) / s, dL/dx = (h − Σh / M) · w / s − (x − μ) · Σh(x − μ) / M · w / s³,
//! s = √(σ² + ε), sums over all M rows of a channel.
//!
//! The first pass makes the sums, the second dL/dx. h is kept between them if it is wanted or not cheap to find again.

use super::{FLUSH, Kept, Line, Rows, TILE, channels_back, channels_to_end, flush, rounded, tile, values, vector};
use crate::activation::{self, GradKernel};
use crate::isa::multiversion;
use crate::math::Float;
use crate::{CpuBackend, Isa};
use taper_backend::{Activation, Buffer, ParamGrads, Result};

multiversion! {
    /// Adds each row's h, and h · (x − m), to the sums of each channel.
    fn add_products<T: Float>(h: &[T], x: &[T], m: &[T], sum: &mut [T], product: &mut [T]) {
        let width = m.len();
        let whole = width - width % TILE;
        for (h, x) in h.chunks_exact(width).zip(x.chunks_exact(width)) {
            for left in (0..whole).step_by(TILE) {
                let (h, x, m) = (tile(h, left), tile(x, left), tile(m, left));
                let (mut acc, mut products) = (tile(sum, left), tile(product, left));
                for i in 0..TILE {
                    acc[i] += h[i];
                    products[i] += h[i] * (x[i] - m[i]);
                }
                sum[left..left + TILE].copy_from_slice(&acc);
                product[left..left + TILE].copy_from_slice(&products);
            }
            for i in whole..width {
                sum[i] += h[i];
                product[i] += h[i] * (x[i] - m[i]);
            }
        }
    }
}

multiversion! {
    /// (h − c) · a − (x − m) · b for each row.
    fn input_grad<T: Float>(h: &[T], x: &[T], m: &[T], a: &[T], b: &[T], c: &[T], out: &mut [T]) {
        let width = m.len();
        let whole = width - width % TILE;
        for ((h, x), out) in h.chunks_exact(width).zip(x.chunks_exact(width)).zip(out.chunks_exact_mut(width)) {
            for left in (0..whole).step_by(TILE) {
                let (h, x, m) = (tile(h, left), tile(x, left), tile(m, left));
                let (a, b, c, out) = (tile(a, left), tile(b, left), tile(c, left), &mut out[left..left + TILE]);
                for i in 0..TILE {
                    out[i] = (h[i] - c[i]) * a[i] - (x[i] - m[i]) * b[i];
                }
            }
            for i in whole..width {
                out[i] = (h[i] - c[i]) * a[i] - (x[i] - m[i]) * b[i];
            }
        }
    }
}

/// What h is made of.
struct Slope<'a, T> {
    g: &'a [T],
    x: &'a [T],
    residual: Option<&'a [T]>,
    line: &'a Line<T>,
    /// `None` for the identity.
    grad: Option<GradKernel<T>>,
}

impl<T: Float> Slope<'_, T> {
    /// Fills `h` with the elements from number `at` on; `z` is scratch. False where h is g, and nothing was done.
    fn fill(&self, isa: Isa, at: usize, z: &mut [T], h: &mut [T]) -> bool {
        let Some(grad) = &self.grad else { return false };
        let (len, z) = (h.len(), &mut z[..h.len()]);
        self.line.fill(isa, &self.x[at..][..len], self.residual.map(|r| &r[at..][..len]), z);
        grad(isa, z, &self.g[at..][..len], h);
        true
    }

    /// Σh and Σh(x − m) over the elements `from..to`, one after the other; h goes to `keep`, if that is not empty.
    fn sums(&self, isa: Isa, rows: Rows, [from, to]: [usize; 2], keep: &mut [T]) -> Vec<f64> {
        let Rows { channels, .. } = rows;
        let (mut z, mut h) = (vec![T::ZERO; rows.piece()], vec![T::ZERO; rows.piece()]);
        let mut few = vec![T::ZERO; 2 * channels];
        let mut sums = vec![0.0; 2 * channels];
        let mut unflushed = 0;
        for at in (from..to).step_by(rows.piece()) {
            let len = rows.piece().min(to - at);
            let h = if keep.is_empty() { &mut h[..len] } else { &mut keep[at - from..][..len] };
            let h = if self.fill(isa, at, &mut z, h) { h } else { &self.g[at..][..len] };
            let (sum, product) = few.split_at_mut(channels);
            add_products(isa, h, &self.x[at..][..len], &self.line.mean, sum, product);
            unflushed += len / channels;
            if unflushed >= FLUSH {
                flush(isa, &mut few, &mut sums);
                unflushed = 0;
            }
        }
        flush(isa, &mut few, &mut sums);
        sums
    }
}

#[allow(clippy::too_many_arguments)]
pub(super) fn backward<T: Float>(
    cpu: &CpuBackend,
    g: &Buffer,
    Kept { mean, inverse }: &Kept,
    x: &Buffer,
    residual: Option<&Buffer>,
    line: &Line<T>,
    weight: Option<&Buffer>,
    f: Activation,
    [need_x, need_weight, need_bias, need_residual]: [bool; 4],
) -> Result<ParamGrads> {
    let channels = mean.len();
    let (g, x) = (channels_to_end(cpu, g)?, channels_to_end(cpu, x)?);
    let residual = residual.map(|r| channels_to_end(cpu, r)).transpose()?;
    let gs = cpu.view::<T>(&g)?.contiguous().unwrap_or_default();
    let xs = cpu.view::<T>(&x)?.contiguous().unwrap_or_default();
    let rs = residual.as_ref().map(|r| cpu.view::<T>(r)).transpose()?.and_then(|r| r.contiguous());
    let rows = Rows { channels, count: xs.len() / channels };
    let slope = Slope { g: gs, x: xs, residual: rs, line, grad: activation::grad_kernel::<T>(f) };
    let cheap = matches!(f, Activation::Relu | Activation::LeakyRelu { .. } | Activation::Hardswish);
    let keeps = slope.grad.is_some() && (need_residual || need_x && !cheap);
    let mut kept = cpu.pool().alloc::<T>(if keeps { xs.len() } else { 0 })?;

    let task = rows.task();
    let mut keep = kept.chunks_mut(task);
    let mut tasks: Vec<(&mut [T], Vec<f64>)> =
        (0..xs.len().div_ceil(task)).map(|_| (keep.next().unwrap_or_default(), Vec::new())).collect();
    cpu.for_chunks(&mut tasks, 1, xs.len(), |i, tasks| {
        for (keep, sums) in tasks {
            *sums = slope.sums(cpu.isa(), rows, [i * task, xs.len().min((i + 1) * task)], keep);
        }
    });
    let total = |i: usize| tasks.iter().map(|(_, sums)| sums[i]).sum::<f64>();
    let sum: Vec<f64> = (0..channels).map(total).collect();
    // About the mean itself, from those about the mean rounded.
    let product: Vec<f64> =
        (0..channels).map(|c| total(channels + c) + (line.mean[c].wide() - mean[c]) * sum[c]).collect();
    drop(tasks);

    let mut grads = ParamGrads::default();
    if need_x {
        let weight = values::<T>(cpu, weight, channels, 1.0)?;
        let n = rows.count as f64;
        let factor = || weight.iter().zip(inverse).map(|(w, i)| w * i);
        let b = rounded::<T>(factor().zip(inverse).zip(&product).map(|((a, i), p)| a * i * i * p / n));
        let c = rounded::<T>(sum.iter().map(|s| s / n));
        let finish = |at: usize, h: &[T], out: &mut [T]| {
            input_grad(cpu.isa(), h, &xs[at..][..h.len()], &line.mean, &line.factor, &b, &c, out);
        };
        // In the place of h, where nobody wants that.
        let in_place = keeps && !need_residual;
        let fresh = cpu.pool().alloc::<T>(if in_place { 0 } else { xs.len() })?;
        let mut out = if in_place { std::mem::replace(&mut kept, fresh) } else { fresh };
        cpu.for_chunks(&mut out, task, xs.len(), |i, out| {
            let (mut z, mut h) = (vec![T::ZERO; rows.piece()], vec![T::ZERO; rows.piece()]);
            for (piece, out) in out.chunks_mut(rows.piece()).enumerate() {
                let (at, len) = (i * task + piece * rows.piece(), out.len());
                if in_place {
                    h[..len].copy_from_slice(out);
                    finish(at, &h[..len], out);
                } else if keeps {
                    finish(at, &kept[at..][..len], out);
                } else if slope.fill(cpu.isa(), at, &mut z, &mut h[..len]) {
                    finish(at, &h[..len], out);
                } else {
                    finish(at, &gs[at..][..len], out);
                }
            }
        });
        grads.x = Some(channels_back(cpu, &cpu.wrap(x.shape().clone(), out))?);
    }
    grads.residual = match (need_residual, keeps) {
        (false, _) => None,
        (true, false) => Some(channels_back(cpu, &g)?),
        (true, true) => Some(channels_back(cpu, &cpu.wrap(x.shape().clone(), kept))?),
    };
    if need_weight {
        grads.weight = Some(vector::<T>(cpu, product.iter().zip(inverse).map(|(p, i)| p * i).collect())?);
    }
    if need_bias {
        grads.bias = Some(vector::<T>(cpu, sum)?);
    }
    Ok(grads)
}
