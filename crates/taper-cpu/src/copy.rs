//! Copies of strided views into row-major or channels-last memory.

use crate::CpuBackend;
use crate::isa::multiversion;
use crate::layout::{coalesce, offset_of};
use crate::parallel::TASK;
use crate::storage::{Stored, View, for_dtype};
use crate::views::permute;
use taper_backend::{Buffer, Result};

/// The side of the square blocks of a transposition: reads and writes of a block both stay in the L1 cache.
const SIDE: usize = 8;

/// Fills `out` with elements `start`, `start + 1`, … in row-major order of the view of `data` with these `dims`,
/// `strides` and `offset`.
pub(crate) fn gather<T: Copy>(
    dims: &[usize],
    strides: &[usize],
    data: &[T],
    offset: usize,
    start: usize,
    out: &mut [T],
) {
    let (Some((&inner, outer)), Some((&step, outer_strides))) = (dims.split_last(), strides.split_last()) else {
        return out.fill(data[offset]);
    };
    let mut column = start % inner.max(1);
    let mut row = start / inner.max(1);
    let mut index = vec![0; outer.len()];
    let mut base = offset;
    for ((i, &size), &stride) in index.iter_mut().zip(outer).zip(outer_strides).rev() {
        *i = row % size;
        row /= size;
        base += *i * stride;
    }
    let mut rest = out;
    while !rest.is_empty() {
        let (run, tail) = rest.split_at_mut((inner - column).min(rest.len()));
        let from = &data[base + column * step..];
        match step {
            0 => run.fill(from[0]),
            1 => run.copy_from_slice(&from[..run.len()]),
            _ => run.iter_mut().zip(from.iter().step_by(step)).for_each(|(y, &x)| *y = x),
        }
        rest = tail;
        column = 0;
        for ((i, &size), &stride) in index.iter_mut().zip(outer).zip(outer_strides).rev() {
            *i += 1;
            base += stride;
            if *i < size {
                break;
            }
            *i = 0;
            base -= stride * size;
        }
    }
}

multiversion! {
    /// Writes rows `first..` of the transposed `from` (`rows × columns`, elements of a column side by side, `step`
    /// apart along a row) to `out`, row after row.
    fn transpose<T: Stored>(from: &[T], step: usize, columns: usize, first: usize, out: &mut [T]) {
        let rows = out.len() / columns;
        for top in (0..rows).step_by(SIDE) {
            let height = SIDE.min(rows - top);
            for left in (0..columns).step_by(SIDE) {
                let width = SIDE.min(columns - left);
                let start = first + top + left * step;
                if height == SIDE && width == SIDE {
                    // Contiguous reads; the compiler transposes the block by shuffling vectors.
                    let mut block = [[from[start]; SIDE]; SIDE];
                    for (k, column) in block.iter_mut().enumerate() {
                        column.copy_from_slice(&from[start + k * step..][..SIDE]);
                    }
                    for (r, out) in out[top * columns..].chunks_mut(columns).take(SIDE).enumerate() {
                        for (y, column) in out[left..left + SIDE].iter_mut().zip(&block) {
                            *y = column[r];
                        }
                    }
                } else {
                    for (r, out) in out[top * columns..].chunks_mut(columns).take(height).enumerate() {
                        let column = from[start + r..].iter().step_by(step);
                        out[left..left + width].iter_mut().zip(column).for_each(|(y, &x)| *y = x);
                    }
                }
            }
        }
    }
}

/// Copies the elements of `x` to `out` in row-major order.
pub(crate) fn copy_to<T: Stored>(cpu: &CpuBackend, x: &View<'_, T>, out: &mut [T]) {
    let count = out.len();
    if count == 0 {
        return;
    }
    if let Some(from) = x.contiguous() {
        return cpu.for_chunks(out, TASK, count, |i, out| out.copy_from_slice(&from[i * TASK..][..out.len()]));
    }
    let (dims, strides) = coalesce(x.shape, &[x.strides]);
    let strides = &strides[0];
    if let ([outer @ .., rows, columns], [outer_strides @ .., 1, step]) = (&dims[..], &strides[..])
        && *step > 1
        && (*rows).min(*columns) >= 4
    {
        let slab = rows * columns;
        // A task takes a whole slab, or a block of rows if there is only one slab.
        let chunk = if outer.is_empty() { SIDE * columns } else { slab };
        return cpu.for_chunks(out, chunk, count, |i, out| {
            let first = i * chunk / columns % rows;
            let base = x.offset + offset_of(outer, outer_strides, i * chunk / slab);
            transpose(cpu.isa(), &x.data[base..], *step, *columns, first, out);
        });
    }
    cpu.for_chunks(out, TASK, count, |i, out| gather(&dims, strides, x.data, x.offset, i * TASK, out));
}

impl CpuBackend {
    /// `x` in row-major order: `x` itself if it already is, else a copy.
    pub(crate) fn to_contiguous(&self, x: &Buffer) -> Result<Buffer> {
        for_dtype!(x.dtype(), T => {
            let view = self.view::<T>(x)?;
            if view.contiguous().is_some() {
                return Ok(x.clone());
            }
            let mut block = self.pool().alloc::<T>(x.count())?;
            copy_to(self, &view, &mut block);
            Ok(self.wrap(x.shape().clone(), block))
        })
    }

    /// `x: [N, C, H, W]` in dense channels-last order: `x` itself if it already is, else a copy.
    pub(crate) fn to_channels_last(&self, x: &Buffer) -> Result<Buffer> {
        permute(self, &self.to_contiguous(&permute(self, x, &[0, 2, 3, 1])?)?, &[0, 3, 1, 2])
    }
}
