//! The backward: a task has the keys of a chunk of a head, and goes over them and over the queries block by block. With the
//! weights p, the output y = Σ p v and its gradient g: dv = Σ p g, and with ds = p (g · v − g · y) dq = scale Σ ds k and
//! dk = scale Σ ds q.

use super::block::{Left, multiply};
use super::forward::compute_scores;
use super::operand::{Columns, Lines, head};
use super::rows::{LANES, RowSlope, dot, scaled, slopes, weights};
use super::{Attention, KEYS, ROWS, SavedRows, wrap_heads};
use crate::CpuBackend;
use crate::gemm::{Real, Shared, run_tasks};
use crate::long_sum::add;
use crate::memory::Block;
use crate::parallel::TASK;
use crate::storage::{Stored, View};
use std::ops::Range;
use taper_backend::{Buffer, Result};

/// The tasks that there should be, if there are as many blocks of keys.
const TASKS: usize = 16;
/// The most chunks into which a head's keys are divided: each has its own sums of the queries' gradients, so that memory
/// stays linear.
const CHUNKS: usize = 8;

/// The room for the gradients that are needed, each as `[N, T, H, D]`.
struct Gradients<'a, T> {
    /// Of the queries, one after the other for each chunk.
    q: Option<Shared<T>>,
    k: Option<Shared<T>>,
    v: Option<Shared<T>>,
    g: View<'a, T>,
    output: View<'a, T>,
    saved: &'a [T],
}

pub(super) fn backward<T: Real + Stored>(
    cpu: &CpuBackend,
    of: &Attention<T>,
    g: &Buffer,
    saved: &SavedRows<T>,
    needs: [bool; 3],
) -> Result<[Option<Buffer>; 3]> {
    let (heads, keys) = (of.heads(), of.keys());
    let chunks = TASKS.div_ceil(heads).min(keys.div_ceil(KEYS)).min(CHUNKS);
    let [of_q, of_k, of_v] =
        [heads * of.rows() * of.width(), heads * keys * of.width(), heads * keys * of.value_width()];
    let room = |need: bool, size: usize| need.then(|| cpu.pool().alloc::<T>(size)).transpose();
    let (mut q, mut k, mut v) = (room(needs[0], chunks * of_q)?, room(needs[1], of_k)?, room(needs[2], of_v)?);
    let shared = |room: &mut Option<Block<T>>| room.as_mut().map(|room| Shared::new(room));
    let gradients = Gradients {
        q: shared(&mut q),
        k: shared(&mut k),
        v: shared(&mut v),
        g: cpu.view::<T>(g)?,
        output: cpu.view::<T>(&saved.output)?,
        saved: &saved.rows,
    };
    let blocks = keys.div_ceil(KEYS);
    run_tasks(cpu, heads * chunks, of.cost(), |i| {
        let (index, chunk) = (i / chunks, i % chunks);
        let bound = |chunk: usize| (blocks * chunk / chunks * KEYS).min(keys);
        chunk_of_keys(cpu, of, index, (chunk, bound(chunk)..bound(chunk + 1)), &gradients)
    })?;
    let [n, h] = [of.q.shape[0], of.q.shape[1]];
    if let (Some(q), true) = (&mut q, chunks > 1) {
        add_chunks(cpu, q, of_q);
    }
    let shape = |length, width| [n, h, length, width];
    Ok([
        q.map(|q| wrap_heads(cpu, shape(of.rows(), of.width()), q)),
        k.map(|k| wrap_heads(cpu, shape(keys, of.width()), k)),
        v.map(|v| wrap_heads(cpu, shape(keys, of.value_width()), v)),
    ])
}

/// Adds the chunks of `size` elements after the first to the first, in order.
fn add_chunks<T: Real + Stored>(cpu: &CpuBackend, x: &mut [T], size: usize) {
    let cost = x.len();
    let (first, others) = x.split_at_mut(size);
    cpu.for_chunks(first, TASK, cost, |task, first| {
        for other in others.chunks_exact(size) {
            add(cpu.isa(), &other[task * TASK..][..first.len()], first);
        }
    });
}

/// The gradients of the `keys` and values of a chunk of head `index`, and the chunk's part of those of the queries.
fn chunk_of_keys<T: Real + Stored>(
    cpu: &CpuBackend,
    of: &Attention<T>,
    index: usize,
    (chunk, keys): (usize, Range<usize>),
    to: &Gradients<T>,
) -> Result<()> {
    let kernel = T::kernel(cpu.isa());
    let (pool, width, value_width) = (cpu.pool(), of.width(), of.value_width());
    let [pitch, value_pitch] = [width, value_width].map(|width| Lines::<T>::pitch(cpu, width));
    // Queries before the first that sees any of the keys have no part in them.
    let rows = of.first_row(keys.start).min(of.rows())..of.rows();
    let (need_scores, need_q) = (to.q.is_some() || to.k.is_some(), to.q.is_some());

    let [k_head, v_head, g_head] = [head(&of.k, index), head(&of.v, index), head(&to.g, index)];
    let mut q_room = pool.alloc::<T>(rows.len() * pitch)?;
    let q = Lines::copy(cpu, &head(&of.q, index), rows.clone(), width, of.scale, &mut q_room);
    let mut g_room = pool.alloc::<T>(rows.len() * value_pitch)?;
    let g = Lines::copy(cpu, &g_head, rows.clone(), value_width, 1.0, &mut g_room);
    let mut columns_room = pool.alloc::<T>(Columns::<T>::size(cpu, keys.len(), width))?;
    let k_columns = Columns::copy(cpu, &k_head, keys.clone(), width, &mut columns_room);
    let mut v_room = pool.alloc::<T>(if need_scores { Columns::<T>::size(cpu, keys.len(), value_width) } else { 0 })?;
    let mut k_room = pool.alloc::<T>(if need_q { keys.len() * pitch } else { 0 })?;
    let v_columns = Columns::copy(cpu, &v_head, keys.clone(), value_width, &mut v_room);
    let k_lines = Lines::copy(cpu, &k_head, if need_q { keys.clone() } else { 0..0 }, width, 1.0, &mut k_room);
    let slope_rows = row_slopes(cpu, index, rows.clone(), g, to);

    let mut q_sums = pool.alloc_zeroed::<T>(if need_q { rows.len() * pitch } else { 0 })?;
    let mut k_sums = pool.alloc::<T>(KEYS * pitch)?;
    let mut v_sums = pool.alloc::<T>(KEYS * value_pitch)?;
    let mut scores = pool.alloc::<T>(ROWS * KEYS)?;
    let mut score_slopes = pool.alloc::<T>(ROWS * KEYS)?;
    for start in (0..keys.len()).step_by(KEYS) {
        let count = KEYS.min(keys.len() - start);
        let along = count.next_multiple_of(LANES);
        k_sums.fill(T::ZERO);
        v_sums.fill(T::ZERO);
        let first = of.first_row(keys.start + start).clamp(rows.start, rows.end) - rows.start;
        for row in (first..rows.len()).step_by(ROWS) {
            let height = ROWS.min(rows.len() - row);
            let (scores, score_slopes) = (&mut scores[..height * along], &mut score_slopes[..height * along]);
            // The columns begin with the chunk; the mask and the diagonal count from the head's first row and key.
            let these = (rows.start + row..rows.start + row + height, keys.start + start..keys.start + start + count);
            let k = k_columns.right(start);
            compute_scores(cpu, of, index, (these.0, q.left(row)), (these.1, k), (&mut *scores, along));
            let of_rows = &slope_rows[row..row + height];
            if need_scores {
                let size = [height, value_width, count];
                multiply(&kernel, size, g.left(row), v_columns.right(start), (&mut *score_slopes, along), false);
                slopes(cpu.isa(), scores, score_slopes, along, of_rows);
            } else {
                weights(cpu.isa(), scores, along, of_rows);
            }
            let transposed = |data| Left { data, row: 1, step: along };
            if to.v.is_some() {
                let size = [count, height, value_width];
                multiply(&kernel, size, transposed(&*scores), g.right(row), (&mut v_sums, value_pitch), true);
            }
            if to.k.is_some() {
                let size = [count, height, width];
                multiply(&kernel, size, transposed(&*score_slopes), q.right(row), (&mut k_sums, pitch), true);
            }
            if need_q {
                let left = Left { data: &*score_slopes, row: along, step: 1 };
                let sums = &mut q_sums[row * pitch..];
                multiply(&kernel, [height, count, width], left, k_lines.right(start), (sums, pitch), true);
            }
        }
        let at = keys.start + start..keys.start + start + count;
        if let Some(to) = &to.k {
            store(cpu, of, index, (to, 0), (at.clone(), of.keys(), width), &k_sums, 1.0);
        }
        if let Some(to) = &to.v {
            store(cpu, of, index, (to, 0), (at, of.keys(), value_width), &v_sums, 1.0);
        }
    }
    if let Some(to) = &to.q {
        let from = chunk * of.heads() * of.rows() * width;
        store(cpu, of, index, (to, from), (0..rows.start, of.rows(), width), &zeros(cpu, rows.start * pitch)?, 1.0);
        store(cpu, of, index, (to, from), (rows, of.rows(), width), &q_sums, of.scale);
    }
    Ok(())
}

fn zeros<T: Stored>(cpu: &CpuBackend, size: usize) -> Result<Block<T>> {
    cpu.pool().alloc_zeroed(size)
}

/// What the gradient needs of `rows`: the gradient `g` of each row of the output times that row, and what the forward saved.
fn row_slopes<T: Real + Stored>(
    cpu: &CpuBackend,
    index: usize,
    rows: Range<usize>,
    g: Lines<T>,
    from: &Gradients<T>,
) -> Vec<RowSlope<T>> {
    let output = head(&from.output, index);
    let (width, length) = (from.output.shape[3], from.output.shape[2]);
    rows.enumerate()
        .map(|(i, row)| {
            let y = &output.data[output.at(row, 0)..][..width];
            let saved = &from.saved[2 * (index * length + row)..][..2];
            RowSlope { top: saved[0], inverse: saved[1], mean: T::of(dot(cpu.isa(), y, g.line(i))) }
        })
        .collect()
}

/// Stores `sums`, times `factor`, as `rows` of head `index` of a gradient `[N, length, H, width]` that begins at `from`.
fn store<T: Real + Stored>(
    cpu: &CpuBackend,
    of: &Attention<T>,
    index: usize,
    (to, from): (&Shared<T>, usize),
    (rows, length, width): (Range<usize>, usize, usize),
    sums: &[T],
    factor: f64,
) {
    let heads = of.q.shape[1];
    let pitch = Lines::<T>::pitch(cpu, width);
    for (row, sums) in rows.zip(sums.chunks_exact(pitch)) {
        let place = from + ((index / heads * length + row) * heads + index % heads) * width;
        // SAFETY: each task has its own rows of its own head, the queries' in a part of its own.
        let to = unsafe { to.slice(place..place + width) };
        scaled(cpu.isa(), sums, T::of(factor), to);
    }
}
