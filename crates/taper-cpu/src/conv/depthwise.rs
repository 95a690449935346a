//! Depthwise convolution: one channel per group, computed by vectorised loops over channels instead of matrix products.

use super::finish::finish_positions;
use super::gather::{Gather, Target};
use super::tile::{Unit, Units};
use super::weight::WeightGrad;
use crate::gemm::{Real, Shared, run_tasks};
use crate::isa::multiversion;
use crate::long_sum::{add, flush};
use crate::storage::Stored;
use taper_backend::Result;

/// The approximate number of output positions of a unit.
const POSITIONS: usize = 256;
/// The most parts into which the weight gradient's sum over positions is split.
const PARTS: usize = 16;
/// The most positions whose products are added in the elements' own type.
const PIECE: usize = 256;
/// The most taps whose products are added in the elements' own type.
const TAPS: usize = 64;
/// Channels whose sums are kept in registers.
const BLOCK: usize = 32;

/// The rows of a unit, each as `[n, i, in_n, in_i]`: image and row relative to the unit, then image and row in the
/// batch.
fn lines(unit: &Unit) -> impl Iterator<Item = [usize; 4]> {
    let Unit { images, rows } = unit.clone();
    images.clone().flat_map(move |n| {
        let (first_n, first_i) = (images.start, rows.start);
        rows.clone().map(move |i| [n - first_n, i - first_i, n, i])
    })
}

/// Computes the depthwise convolution of `gather` into `target`.
pub(super) fn gather<T: Real + Stored>(gather: &Gather<T>, target: &Target<T>) -> Result<()> {
    let Gather { cpu, source, weight, windows, groups: channels, .. } = *gather;
    let [images, ..] = source.shape();
    let grid = windows.grid;
    let taps = windows.offsets(channels);
    let mut packed = cpu.pool().alloc::<T>(taps.len() * channels)?;
    for (tap, packed) in windows.taps.iter().zip(packed.chunks_mut(channels)) {
        for (c, packed) in packed.iter_mut().enumerate() {
            *packed = weight.data[weight.at(c, 0, tap)];
        }
    }
    let align = if let Target::Pooled { pooled, .. } = target { pooled.window[0] } else { 1 };
    let units = Units::new(images, grid, POSITIONS, align);
    let cost = images * grid[0] * grid[1] * channels * taps.len().max(1);
    run_tasks(cpu, units.count(), cost, |i| {
        let unit = units.get(i);
        let [tall, wide] = windows.tile_size(unit.rows.len());
        let pitch = tall * wide * channels;
        let mut tile = cpu.pool().alloc::<T>(unit.images.len() * pitch)?;
        windows.load(cpu.isa(), &source, 0..channels, &unit, pitch, &mut tile);
        let across = windows.step[1] * channels;
        let row_of = |n: usize, i: usize| &tile[n * pitch + i * windows.step[0] * wide * channels..];
        match target {
            Target::Positions { out, offset, pitch, finish } => {
                for [n, i, in_n, in_i] in lines(&unit) {
                    let start = offset + in_n * pitch[0] + in_i * pitch[1];
                    // SAFETY: this task's own row of positions; no other task writes between them.
                    let row = unsafe { out.slice(start..start + (grid[1] - 1) * pitch[2] + channels) };
                    weigh(cpu.isa(), row_of(n, i), across, &taps, &packed, channels, row, pitch[2]);
                    if !finish.is_nothing() {
                        // SAFETY: as above, and `row` is not used any more.
                        unsafe { finish_positions(out, start, grid[1], pitch[2], 0..channels, *finish) };
                    }
                }
            }
            Target::Pooled { pooled, relu } => {
                let size = grid[1] * channels;
                let mut block = cpu.pool().alloc::<T>(unit.images.len() * unit.rows.len() * size)?;
                for ([n, i, ..], row) in lines(&unit).zip(block.chunks_mut(size)) {
                    weigh(cpu.isa(), row_of(n, i), across, &taps, &packed, channels, row, channels);
                }
                pooled.store(cpu.isa(), &unit, grid[1], 0..channels, *relu, &block);
            }
        }
        Ok(())
    })
}

multiversion! {
    /// `out[j · pitch + c] = Σ_tap row[j · across + tap + c] · weight[tap, c]` for each position `j` and channel `c`.
    fn weigh<T: Real>(
        row: &[T],
        across: usize,
        taps: &[usize],
        weight: &[T],
        channels: usize,
        out: &mut [T],
        pitch: usize,
    ) {
        for (j, out) in out.chunks_mut(pitch).enumerate() {
            for (first, out) in (0..channels).step_by(BLOCK).zip(out[..channels].chunks_mut(BLOCK)) {
                let (mut sums, mut long) = ([T::default(); BLOCK], [0.0; BLOCK]);
                let count = out.len();
                for (i, (&tap, weight)) in taps.iter().zip(weight.chunks(channels)).enumerate() {
                    if i > 0 && i % TAPS == 0 {
                        for l in 0..BLOCK {
                            long[l] += sums[l].wide();
                            sums[l] = T::default();
                        }
                    }
                    let x = &row[j * across + tap + first..][..count];
                    let weight = &weight[first..first + count];
                    if count == BLOCK {
                        for l in 0..BLOCK {
                            sums[l] += x[l] * weight[l];
                        }
                    } else {
                        for ((sum, &x), &w) in sums.iter_mut().zip(x).zip(weight) {
                            *sum += x * w;
                        }
                    }
                }
                if taps.len() > TAPS {
                    for l in 0..BLOCK {
                        sums[l] = T::of(long[l] + sums[l].wide());
                    }
                }
                out.copy_from_slice(&sums[..count]);
            }
        }
    }
}

/// Writes the weight gradient `[C, 1, Kh, Kw]` to `out`, and the bias gradient to `bias: [C]`.
pub(super) fn weight_grad<T: Real + Stored>(grad: &WeightGrad<T>, out: &mut [T], bias: &mut [T]) -> Result<()> {
    let WeightGrad { cpu, x, g, windows, groups: channels, .. } = *grad;
    let [images, ..] = x.shape();
    let grid = windows.grid;
    let taps = windows.offsets(channels);
    let units = Units::new(images, grid, POSITIONS, 1);
    let parts = PARTS.min(units.count());
    // Of each part: the sums of each tap, then the sums of `g`.
    let size = (taps.len() + 1) * channels;
    let mut sums = cpu.pool().alloc_zeroed::<f64>(parts * size)?;
    let shared = Shared::new(&mut sums);
    run_tasks(cpu, parts, images * grid[0] * grid[1] * size, |part| {
        // SAFETY: each task has its own part.
        let long = unsafe { shared.slice(part * size..(part + 1) * size) };
        let mut few = cpu.pool().alloc_zeroed::<T>(size)?;
        // Positions that were added since the last flush.
        let mut added = 0;
        for index in part * units.count() / parts..(part + 1) * units.count() / parts {
            let unit = units.get(index);
            let [tall, wide] = windows.tile_size(unit.rows.len());
            let pitch = tall * wide * channels;
            let row = grid[1] * channels;
            let mut tile = cpu.pool().alloc::<T>(unit.images.len() * pitch)?;
            let mut g_row = cpu.pool().alloc::<T>(row)?;
            windows.load(cpu.isa(), &x, 0..channels, &unit, pitch, &mut tile);
            for [n, i, in_n, in_i] in lines(&unit) {
                g.load(cpu.isa(), in_n, 0..channels, in_i as isize..in_i as isize + 1, 0..grid[1] as isize, &mut g_row);
                let tile = &tile[n * pitch + i * windows.step[0] * wide * channels..];
                let across = windows.step[1] * channels;
                for (piece, g) in g_row.chunks(PIECE * channels).enumerate() {
                    if added >= PIECE {
                        flush(cpu.isa(), &mut few, long);
                        added = 0;
                    }
                    let (sums, bias) = few.split_at_mut(taps.len() * channels);
                    correlate(cpu.isa(), &tile[piece * PIECE * across..], across, &taps, g, channels, sums);
                    g.chunks(channels).for_each(|g| add(cpu.isa(), g, bias));
                    added += g.len() / channels;
                }
            }
        }
        flush(cpu.isa(), &mut few, long);
        Ok(())
    })?;
    let total = |i: usize| T::of(sums.iter().skip(i).step_by(size).sum());
    for tap in 0..taps.len() {
        out[tap..].iter_mut().step_by(taps.len()).enumerate().for_each(|(c, x)| *x = total(tap * channels + c));
    }
    bias.iter_mut().enumerate().for_each(|(c, x)| *x = total(taps.len() * channels + c));
    Ok(())
}

multiversion! {
    /// `sums[tap, c] += Σ_j row[j · across + tap + c] · g[j, c]`.
    fn correlate<T: Real>(row: &[T], across: usize, taps: &[usize], g: &[T], channels: usize, sums: &mut [T]) {
        for (&tap, sums) in taps.iter().zip(sums.chunks_mut(channels)) {
            for (j, g) in g.chunks(channels).enumerate() {
                let x = &row[j * across + tap..][..channels];
                for ((sum, &x), &g) in sums.iter_mut().zip(x).zip(g) {
                    *sum += x * g;
                }
            }
        }
    }
}
