//! Max pooling `[N, C, H, W] → [N, C, H_out, W_out]` and its gradient, for row-major and channels-last layouts.
//!
//! The forward saves, for each output, the place of the largest element (the winner) in its window: in one byte if the
//! window has at most 256 places. Of equal elements the first wins, and a NaN counts as largest.

use crate::isa::multiversion;
use crate::long_sum::{RUN, round};
use crate::math::Float;
use crate::memory::Block;
use crate::parallel::TASK;
use crate::storage::{Stored, for_float};
use crate::window::{PoolWindows, in_layout, layout_strides, pooling_layout};
use crate::{CpuBackend, transfer};
use taper_backend::{Buffer, DType, Error, FusedOp, FusedOutput, Pool2dSpec, Result, Rim, Saved, Shape};

/// The types that store a place in a window.
trait PlaceIndex: Stored {
    fn pack(place: usize) -> Self;
    fn unpack(self) -> usize;
}
impl PlaceIndex for u8 {
    fn pack(place: usize) -> Self {
        place as u8
    }
    fn unpack(self) -> usize {
        usize::from(self)
    }
}
impl PlaceIndex for i64 {
    fn pack(place: usize) -> Self {
        place as i64
    }
    fn unpack(self) -> usize {
        self as usize
    }
}

/// The results of pooling: the largest values and their places in their windows, in the layout of `x`.
struct PooledPlaces<T: Stored, P: Stored> {
    values: Block<T>,
    places: Block<P>,
    last: bool,
    windows: PoolWindows,
}

/// The larger of `x`, at `place`, and the best so far. Of equal values the first wins, and a NaN counts as largest.
#[inline(always)]
fn challenge<T: Float, P: PlaceIndex>(x: T, place: P, best: &mut T, at: &mut P) {
    let wins = x > *best || (x.is_nan() && !best.is_nan());
    *best = if wins { x } else { *best };
    *at = if wins { place } else { *at };
}

/// Every `STRIDE`-th element of `x`, one for each window.
#[inline(always)]
fn along<T: Float, P: PlaceIndex, const STRIDE: usize>(x: &[T], place: P, best: &mut [T], places: &mut [P]) {
    let n = best.len().min(places.len()).min(x.len().div_ceil(STRIDE));
    let (x, best, places) = (&x[..(n * STRIDE).saturating_sub(STRIDE - 1)], &mut best[..n], &mut places[..n]);
    for i in 0..n {
        challenge(x[i * STRIDE], place, &mut best[i], &mut places[i]);
    }
}

multiversion! {
    /// Compares `x`, at `place` of its windows, with the best so far; each element belongs to the window of its
    /// channel.
    fn compete<T: Float, P: PlaceIndex>(x: &[T], place: P, best: &mut [T], places: &mut [P]) {
        for ((&x, best), at) in x.iter().zip(best).zip(places) {
            challenge(x, place, best, at);
        }
    }
}

multiversion! {
    /// As [`compete`], for a row of windows, which take every `stride`-th element of `x`.
    fn compete_along<T: Float, P: PlaceIndex>(x: &[T], stride: usize, place: P, best: &mut [T], places: &mut [P]) {
        match stride {
            1 => along::<T, P, 1>(x, place, best, places),
            2 => along::<T, P, 2>(x, place, best, places),
            _ => {
                for ((x, best), at) in x.chunks(stride).zip(best).zip(places) {
                    challenge(x[0], place, best, at);
                }
            }
        }
    }
}

fn forward<T: Float, P: PlaceIndex>(cpu: &CpuBackend, x: &Buffer, spec: &Pool2dSpec) -> Result<PooledPlaces<T, P>> {
    let windows = PoolWindows::new("max_pool2d", x.shape(), spec)?;
    let (x, last) = pooling_layout(cpu, x)?;
    let view = cpu.view::<T>(&x)?;
    let from = view.dense().unwrap_or_default();
    let PoolWindows { c, size: [h, w], out: [rows, columns], .. } = windows;
    let count = windows.y_shape().count();
    let mut values = cpu.pool().alloc::<T>(count)?;
    let mut places = cpu.pool().alloc::<P>(count)?;
    // A run is a row of windows: of all channels if channels-last, else of one plane.
    let run = if last { columns * c } else { columns };
    let group = (TASK / 4 / run.max(1)).max(1);
    cpu.for_chunks2(&mut values, &mut places, group * run, from.len(), |task, values, places| {
        for (r, (values, places)) in values.chunks_exact_mut(run).zip(places.chunks_exact_mut(run)).enumerate() {
            let (outer, i) = ((task * group + r) / rows, (task * group + r) % rows);
            if last {
                let image = &from[outer * h * w * c..][..h * w * c];
                for (j, (best, at)) in values.chunks_exact_mut(c).zip(places.chunks_exact_mut(c)).enumerate() {
                    let mut first = true;
                    windows.each(i, j, |place, index| {
                        let x = &image[index * c..][..c];
                        if std::mem::take(&mut first) {
                            best.copy_from_slice(x);
                            at.fill(P::pack(place));
                        } else {
                            compete(cpu.isa(), x, P::pack(place), best, at);
                        }
                    });
                }
            } else {
                // Each window starts at −∞ and its first place in the image, so that a window of −∞ only has its first
                // place as the winner.
                let plane = &from[outer * h * w..][..h * w];
                let (down, width) = (windows.inside(0, i), spec.kernel_size[1]);
                values.fill(-T::INFINITY);
                for (j, at) in places.iter_mut().enumerate() {
                    *at = P::pack(down.start * width + windows.inside(1, j).start);
                }
                for p in down {
                    let line = &plane[windows.at(0, i, p) * w..][..w];
                    for q in 0..width {
                        let range = windows.reaching(1, q);
                        if range.is_empty() {
                            continue;
                        }
                        let x = &line[windows.at(1, range.start, q)..];
                        let place = P::pack(p * width + q);
                        let (best, at) = (&mut values[range.clone()], &mut places[range]);
                        compete_along(cpu.isa(), x, spec.stride[1], place, best, at);
                    }
                }
            }
        }
    });
    Ok(PooledPlaces { values, places, last, windows })
}

pub(crate) fn max_pool2d(cpu: &CpuBackend, x: &Buffer, spec: &Pool2dSpec) -> Result<(Buffer, Buffer)> {
    if matches!(x.dtype(), DType::F16 | DType::BF16) {
        let (y, index) = max_pool2d(cpu, &transfer::cast(cpu, x, DType::F32)?, spec)?;
        return Ok((transfer::cast(cpu, &y, x.dtype())?, index));
    }
    for_float!(x.dtype(), T => {
        let PooledPlaces { values, mut places, last, windows } = forward::<T, i64>(cpu, x, spec)?;
        // Converts places in windows to indices into planes.
        let PoolWindows { c, out: [rows, columns], .. } = windows;
        let count = places.len();
        cpu.for_chunks(&mut places, TASK, count, |task, part| {
            for (k, place) in part.iter_mut().enumerate() {
                let k = task * TASK + k;
                let (i, j) = if last { (k / (columns * c) % rows, k / c % columns) } else { (k / columns % rows, k % columns) };
                *place = windows.plane_index(i, j, place.unpack()) as i64;
            }
        });
        let shape = windows.y_shape();
        let strides = layout_strides(&shape, last);
        Ok((cpu.wrap_strided(shape.clone(), strides.clone(), values), cpu.wrap_strided(shape, strides, places)))
    }, else Err(cpu.unsupported("max_pool2d", x.dtype())))
}

/// What the forward saves: the places of the winners, and whether they are channels-last.
struct Winners {
    places: Buffer,
    last: bool,
}

pub(crate) fn fused(cpu: &CpuBackend, op: &FusedOp<'_>) -> Rim<FusedOutput> {
    fn with<T: Float, P: PlaceIndex>(cpu: &CpuBackend, x: &Buffer, spec: &Pool2dSpec) -> Rim<FusedOutput> {
        let PooledPlaces { values, places, last, windows } = forward::<T, P>(cpu, x, spec)?;
        let shape = windows.y_shape();
        let strides = layout_strides(&shape, last);
        let places = cpu.wrap_strided(shape.clone(), strides.clone(), places);
        let saved = Saved::new(Winners { places, last });
        Ok(Some(FusedOutput::new(cpu.wrap_strided(shape, strides, values), saved)))
    }
    let FusedOp::MaxPool2d { x, ref spec } = *op else { return Ok(None) };
    let small = spec.kernel_size[0].saturating_mul(spec.kernel_size[1]) <= 256;
    for_float!(x.dtype(), T => if small {
        with::<T, u8>(cpu, x, spec)
    } else {
        with::<T, i64>(cpu, x, spec)
    }, else Ok(None))
}

pub(crate) fn fused_grad(
    cpu: &CpuBackend,
    op: &FusedOp<'_>,
    g: &Buffer,
    saved: &Saved,
    _needs: &[bool],
) -> Rim<Vec<Option<Buffer>>> {
    let FusedOp::MaxPool2d { x, ref spec } = *op else { return Ok(None) };
    const OP: &str = "max_pool2d_grad";
    let winners = saved.get::<Winners>().ok_or_else(|| Error::argument(OP, "called without what the forward saved"))?;
    let gradient = for_float!(g.dtype(), T => match winners.places.dtype() {
        DType::U8 => backward::<T, u8>(cpu, g, winners, spec, x.shape()),
        _ => backward::<T, i64>(cpu, g, winners, spec, x.shape()),
    }, else Err(cpu.unsupported(OP, g.dtype())));
    Ok(Some(vec![Some(gradient?)]))
}

fn backward<T: Float, P: PlaceIndex>(
    cpu: &CpuBackend,
    g: &Buffer,
    winners: &Winners,
    spec: &Pool2dSpec,
    x_shape: &Shape,
) -> Result<Buffer> {
    let windows = PoolWindows::new("max_pool2d_grad", x_shape, spec)?;
    let last = winners.last;
    let g = in_layout(cpu, g, last)?;
    let g = cpu.view::<T>(&g)?.dense().unwrap_or_default();
    let places = cpu.view::<P>(&winners.places)?.dense().unwrap_or_default();
    let PoolWindows { c, size: [h, w], out: [rows, columns], .. } = windows;
    let mut grad = cpu.pool().alloc::<T>(x_shape.count())?;
    // A task takes one image if channels-last, else some planes.
    let channels = if last { c } else { 1 };
    let (from, to) = (rows * columns * channels, h * w * channels);
    let group = if last { 1 } else { (TASK / to.max(1)).max(1) };
    let count = grad.len();
    let offsets = windows.place_offsets();
    let long = windows.overlap() > RUN;
    cpu.for_chunks(&mut grad, group * to, count, |task, out| {
        let mut sums = vec![0.0; if long { to } else { 0 }];
        for (k, out) in out.chunks_exact_mut(to).enumerate() {
            let start = (task * group + k) * from;
            let (g, places) = (&g[start..start + from], &places[start..start + from]);
            if long {
                sums.fill(0.0);
                route(&windows, channels, offsets.as_deref(), g, places, &mut sums);
                round(cpu.isa(), &sums, out);
            } else {
                out.fill(T::ZERO);
                route(&windows, channels, offsets.as_deref(), g, places, out);
            }
        }
    });
    Ok(cpu.wrap_strided(x_shape.clone(), layout_strides(x_shape, last), grad))
}

/// Adds each window's `g` to its winner: in a plane or, if channels-last, in an image.
fn route<T: Float, A: Float, P: PlaceIndex>(
    windows: &PoolWindows,
    channels: usize,
    offsets: Option<&[usize]>,
    g: &[T],
    places: &[P],
    sums: &mut [A],
) {
    let [rows, columns] = windows.out;
    for window in 0..rows * columns {
        let (i, j) = (window / columns, window % columns);
        let corner = windows.corner(i, j);
        let range = window * channels..(window + 1) * channels;
        for (k, (&g, &place)) in g[range.clone()].iter().zip(&places[range]).enumerate() {
            let index = match offsets {
                Some(offsets) => corner.wrapping_add(offsets[place.unpack()]),
                None => windows.plane_index(i, j, place.unpack()),
            };
            sums[index * channels + k] += A::of(g.wide());
        }
    }
}
