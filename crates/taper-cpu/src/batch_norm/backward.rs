//! The gradients of batch norm, from g = dL/dy. With h = g · f′(z), where z is the argument of `f` (h is the residual's
//! gradient too):
//!
//! dL/dbias = Σh, dL/dweight = Σh(x − μ) / s, dL/dx = (h − Σh / M − (x − μ) · Σh(x − μ) / (M s²)) · w / s,
//! s = √(σ² + ε), with sums over all M rows of a channel.
//!
//! The first pass computes the sums, the second dL/dx. h is stored between them if it is needed as a result or is not
//! cheap to recompute: the second pass recomputes a ReLU's mask from x, but not from x and a residual, which takes more
//! reads than h.

use super::passes::{NoGate, ReluGate, add_products, add_products_and_keep, input_grad};
use super::{ChannelMoments, Line, RUN, Rows, channels_back, channels_to_end, rounded, vector};
use crate::activation::{self, GradKernel};
use crate::long_sum::flush;
use crate::math::Float;
use crate::{CpuBackend, Isa};
use taper_backend::{Activation, Buffer, Result};

/// The operands that h is computed from.
struct Slope<'a, T> {
    g: &'a [T],
    x: &'a [T],
    residual: Option<&'a [T]>,
    line: &'a Line<T>,
    then: Following<T>,
}

/// The activation after the norm and the residual.
enum Following<T> {
    Nothing,
    Relu,
    /// Any other activation, by its gradient kernel, with z and h in scratch memory.
    Other(GradKernel<T>),
}

impl<T: Float> Following<T> {
    fn new(f: Activation) -> Self {
        match f {
            Activation::Relu => Self::Relu,
            f => activation::grad_kernel(f).map_or(Self::Nothing, Self::Other),
        }
    }
}

impl<T: Float> Slope<'_, T> {
    /// Adds h, and h · (x − m), of the `h.len()` elements from `at` on to the sums of each channel. Stores h in `h`,
    /// except where it is g, or g with a ReLU mask computed from x alone. `z` is scratch.
    fn add(&self, isa: Isa, at: usize, z: &mut [T], h: &mut [T], sum: &mut [T], product: &mut [T]) {
        let Line { mean: m, factor: a, offset: b } = self.line;
        let (g, x) = (&self.g[at..][..h.len()], &self.x[at..][..h.len()]);
        let r = self.residual.map(|r| &r[at..][..h.len()]);
        match (&self.then, r) {
            (Following::Nothing, _) => add_products::<T, NoGate>(isa, g, x, m, a, b, sum, product),
            (Following::Relu, None) => add_products::<T, ReluGate>(isa, g, x, m, a, b, sum, product),
            (Following::Relu, Some(r)) => add_products_and_keep(isa, g, x, r, m, a, b, h, sum, product),
            (Following::Other(grad), r) => {
                let z = &mut z[..h.len()];
                self.line.fill(isa, x, r, z);
                grad(isa, z, g, h);
                add_products::<T, NoGate>(isa, h, x, m, a, b, sum, product);
            }
        }
    }

    /// Σh of each channel, then Σh(x − m), over the elements `from..to`. h is stored in `keep`, unless that is empty.
    fn sums(&self, isa: Isa, rows: Rows, [from, to]: [usize; 2], keep: &mut [T]) -> Vec<f64> {
        let Rows { channels, .. } = rows;
        let scratch = |needed: bool| vec![T::ZERO; if needed { rows.piece() } else { 0 }];
        let (mut z, mut h) = (scratch(matches!(self.then, Following::Other(_))), scratch(keep.is_empty()));
        let mut few = vec![T::ZERO; 2 * channels];
        let mut sums = vec![0.0; 2 * channels];
        let mut unflushed = 0;
        for at in (from..to).step_by(rows.piece()) {
            let len = rows.piece().min(to - at);
            let h = if keep.is_empty() { &mut h[..len] } else { &mut keep[at - from..][..len] };
            let (sum, product) = few.split_at_mut(channels);
            self.add(isa, at, &mut z, h, sum, product);
            unflushed += len / channels;
            if unflushed >= RUN {
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
    ChannelMoments { mean, inverse }: &ChannelMoments,
    x: &Buffer,
    residual: Option<&Buffer>,
    line: &Line<T>,
    f: Activation,
    [need_x, need_weight, need_bias, need_residual]: [bool; 4],
) -> Result<[Option<Buffer>; 4]> {
    let channels = mean.len();
    let (g, x) = (channels_to_end(cpu, g)?, channels_to_end(cpu, x)?);
    let residual = residual.map(|r| channels_to_end(cpu, r)).transpose()?;
    let gs = cpu.view::<T>(&g)?.contiguous().unwrap_or_default();
    let xs = cpu.view::<T>(&x)?.contiguous().unwrap_or_default();
    let rs = residual.as_ref().map(|r| cpu.view::<T>(r)).transpose()?.and_then(|r| r.contiguous());
    let rows = Rows { channels, count: xs.len() / channels };
    let need_residual = need_residual && rs.is_some();
    let slope = Slope { g: gs, x: xs, residual: rs, line, then: Following::new(f) };
    let keeps = match slope.then {
        Following::Nothing => false,
        Following::Relu => rs.is_some() && (need_x || need_residual),
        Following::Other(_) => need_x || need_residual,
    };
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
    let mut totals = vec![0.0; 2 * channels];
    for (_, sums) in tasks {
        totals.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    }
    let (sum, product) = totals.split_at(channels);
    // Σh(x − μ), from the sums about the rounded mean m.
    let product: Vec<f64> = (0..channels).map(|c| product[c] + (line.mean[c].wide() - mean[c]) * sum[c]).collect();

    let [mut of_x, mut of_weight, mut of_bias] = [None, None, None];
    if need_x {
        let n = rows.count as f64;
        let p = rounded::<T>(inverse.iter().zip(&product).map(|(i, p)| i * i * p / n));
        let q = rounded::<T>(sum.iter().map(|s| s / n));
        let Line { mean: m, factor: a, offset: b } = line;
        let finish = |at: usize, h: &[T], out: &mut [T]| {
            input_grad::<T, NoGate>(cpu.isa(), h, &xs[at..][..h.len()], m, a, b, &p, &q, out);
        };
        // Overwrite h if it is not needed as a result.
        let in_place = keeps && !need_residual;
        let fresh = cpu.pool().alloc::<T>(if in_place { 0 } else { xs.len() })?;
        let mut out = if in_place { std::mem::replace(&mut kept, fresh) } else { fresh };
        cpu.for_chunks(&mut out, task, xs.len(), |i, out| {
            let mut h = vec![T::ZERO; if in_place { rows.piece() } else { 0 }];
            for (piece, out) in out.chunks_mut(rows.piece()).enumerate() {
                let (at, len) = (i * task + piece * rows.piece(), out.len());
                let (g, x) = (&gs[at..][..len], &xs[at..][..len]);
                if in_place {
                    h[..len].copy_from_slice(out);
                    finish(at, &h[..len], out);
                } else if keeps {
                    finish(at, &kept[at..][..len], out);
                } else if matches!(slope.then, Following::Relu) {
                    input_grad::<T, ReluGate>(cpu.isa(), g, x, m, a, b, &p, &q, out);
                } else {
                    finish(at, g, out);
                }
            }
        });
        of_x = Some(channels_back(cpu, &cpu.wrap(x.shape().clone(), out))?);
    }
    let of_residual = match (need_residual, keeps) {
        (false, _) => None,
        (true, false) => Some(channels_back(cpu, &g)?),
        (true, true) => Some(channels_back(cpu, &cpu.wrap(x.shape().clone(), kept))?),
    };
    if need_weight {
        of_weight = Some(vector::<T>(cpu, product.iter().zip(inverse).map(|(p, i)| p * i).collect())?);
    }
    if need_bias {
        of_bias = Some(vector::<T>(cpu, sum.to_vec())?);
    }
    Ok([of_x, of_weight, of_bias, of_residual])
}
