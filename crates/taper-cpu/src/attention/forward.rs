//! The forward: tasks of a head's rows go over the keys block by block.

use super::block::{Left, Right, multiply};
use super::operand::{Columns, Lines, add_mask, head};
use super::rows::{LANES, Row, powers, rescale, scaled};
use super::{Attention, KEYS, ROWS, SavedRows, wrap_heads};
use crate::CpuBackend;
use crate::gemm::{Real, Shared, run_tasks};
use crate::memory::Block;
use crate::storage::Stored;
use std::ops::Range;
use taper_backend::{FusedOutput, Result, Saved};

pub(super) fn forward<T: Real + Stored>(cpu: &CpuBackend, of: &Attention<T>) -> Result<FusedOutput> {
    let (heads, rows, keys) = (of.heads(), of.rows(), of.keys());
    let (width, value_width) = (of.width(), of.value_width());
    let [key_size, value_size] = [Columns::<T>::size(cpu, keys, width), keys * Lines::<T>::pitch(cpu, value_width)];
    let mut key_room = cpu.pool().alloc::<T>(heads * key_size)?;
    let mut value_room = cpu.pool().alloc::<T>(heads * value_size)?;
    let (key_shared, value_shared) = (Shared::new(&mut key_room), Shared::new(&mut value_room));
    run_tasks(cpu, heads, of.cost(), |i| {
        // SAFETY: each task has its own head.
        let (k, v) = unsafe {
            (
                key_shared.slice(i * key_size..(i + 1) * key_size),
                value_shared.slice(i * value_size..(i + 1) * value_size),
            )
        };
        Columns::copy(cpu, &head(&of.k, i), 0..keys, width, k);
        Lines::copy(cpu, &head(&of.v, i), 0..keys, value_width, 1.0, v);
        Ok(())
    })?;

    let mut y = cpu.pool().alloc::<T>(heads * rows * value_width)?;
    let mut saved = cpu.pool().alloc::<T>(heads * rows * 2)?;
    let (y_shared, saved_shared) = (Shared::new(&mut y), Shared::new(&mut saved));
    let blocks = rows.div_ceil(ROWS);
    run_tasks(cpu, heads * blocks, of.cost(), |i| {
        let (index, block) = (i / blocks, i % blocks);
        let these = rows * block / blocks..rows * (block + 1) / blocks;
        let k = Columns::of(cpu, &key_room[index * key_size..][..key_size], width);
        let v = Lines::of(cpu, &value_room[index * value_size..][..value_size], value_width);
        let (state, sums) = block_rows(cpu, of, index, these.clone(), k, v)?;
        let pitch = Lines::<T>::pitch(cpu, value_width);
        let (sample, number) = (index / of.q.shape[1], index % of.q.shape[1]);
        for ((row, state), sums) in these.zip(&state).zip(sums.chunks_exact(pitch)) {
            let place = ((sample * rows + row) * of.q.shape[1] + number) * value_width;
            let inverse = if state.sum == 0.0 { T::ZERO } else { T::of(1.0 / state.sum) };
            // SAFETY: each task has its own rows of its own head.
            let (y, saved) = unsafe {
                let at = 2 * (index * rows + row);
                (y_shared.slice(place..place + value_width), saved_shared.slice(at..at + 2))
            };
            scaled(cpu.isa(), sums, inverse, y);
            saved.copy_from_slice(&[state.top, inverse]);
        }
        Ok(())
    })?;
    let y = wrap_heads(cpu, [of.q.shape[0], of.q.shape[1], rows, value_width], y);
    let saved = SavedRows { rows: saved, output: y.clone() };
    Ok(FusedOutput::new(y, Saved::new(saved)))
}

/// For the `rows` of head `index`: what is known of their scores, and Σ e^(score − top) · value.
fn block_rows<T: Real + Stored>(
    cpu: &CpuBackend,
    of: &Attention<T>,
    index: usize,
    rows: Range<usize>,
    k: Columns<T>,
    v: Lines<T>,
) -> Result<(Vec<Row<T>>, Block<T>)> {
    let kernel = T::kernel(cpu.isa());
    let (width, value_width) = (of.width(), of.value_width());
    let mut q_room = cpu.pool().alloc::<T>(rows.len() * Lines::<T>::pitch(cpu, width))?;
    let q = Lines::copy(cpu, &head(&of.q, index), rows.clone(), width, of.scale, &mut q_room);
    let pitch = Lines::<T>::pitch(cpu, value_width);
    let mut sums = cpu.pool().alloc_zeroed::<T>(rows.len() * pitch)?;
    let mut scores = cpu.pool().alloc::<T>(rows.len() * KEYS)?;
    let mut state = vec![Row::new(); rows.len()];
    // The last row sees the most keys.
    for start in (0..of.seen(rows.end - 1)).step_by(KEYS) {
        let keys = start..(start + KEYS).min(of.seen(rows.end - 1));
        let along = keys.len().next_multiple_of(LANES);
        let scores = &mut scores[..rows.len() * along];
        compute_scores(
            cpu,
            of,
            index,
            (rows.clone(), q.left(0)),
            (keys.clone(), k.right(start)),
            (&mut *scores, along),
        );
        powers(cpu.isa(), scores, along, &mut state);
        if start > 0 {
            rescale(cpu.isa(), &mut sums, pitch, &state);
        }
        let weights = Left { data: scores, row: along, step: 1 };
        let size = [rows.len(), keys.len(), value_width];
        multiply(&kernel, size, weights, v.right(start), (&mut sums, pitch), start > 0);
    }
    Ok((state, sums))
}

/// The scores of `rows` and `keys`, with the mask, −∞ where a key is hidden. The rows of `scores` are `pitch` elements
/// long, and end with −∞.
pub(super) fn compute_scores<T: Real + Stored>(
    cpu: &CpuBackend,
    of: &Attention<T>,
    index: usize,
    (rows, q): (Range<usize>, Left<T>),
    (keys, k): (Range<usize>, Right<T>),
    (scores, pitch): (&mut [T], usize),
) {
    let hidden = -T::INFINITY;
    let size = [rows.len(), of.width(), keys.len()];
    multiply(&T::kernel(cpu.isa()), size, q, k, (&mut *scores, pitch), false);
    if let Some(mask) = &of.mask {
        add_mask(cpu.isa(), mask, index, rows.clone(), keys.clone(), (&mut *scores, pitch));
    }
    for (row, scores) in rows.zip(scores.chunks_exact_mut(pitch)) {
        let seen = of.seen(row).clamp(keys.start, keys.end) - keys.start;
        scores[seen..].fill(hidden);
    }
}
