//! Products of few rows: `C = A · B` where `A` has so few rows that the time is that of reading `B`. `B` is read once,
//! in place, without packing.

use super::kernel::{DOT_LINES, DOT_ROWS, Dots, Kernel, Real, Soon, Tile};
use super::pack::{Matrix, pack_columns};
use super::product::{Epilogue, Product};
use super::shared::{Shared, run_tasks};
use crate::CpuBackend;
use crate::long_sum::{accumulate, round};
use crate::memory::Block;
use crate::storage::Stored;
use std::ops::Range;
use taper_backend::Result;

/// The approximate number of elements of `B` that a task reads.
const TASK: usize = 128 * 1024;
/// The most columns of a task, where the rows of `B` are contiguous.
const WIDTH: usize = 1024;
/// A run: rows of `B` that are read together, from left to right.
const RUN: usize = 8;
/// The most runs whose sums are added in the elements' own type.
const RUNS: usize = 192;
/// The longest dot products that are computed in the elements' own type, in bytes of a line. Longer ones are sums of
/// such in f64, which keeps their error small.
const LONGEST_BYTES: usize = 16 * 1024;

/// A product of few rows, whose result is stored as `[rows, columns]`, or transposed.
pub(super) struct Thin<'a, 'b, T> {
    pub cpu: &'a CpuBackend,
    pub product: &'a Product<'b, T>,
    pub finish: Epilogue<'a, T>,
    /// Whether the result is stored as `[columns, rows]`.
    pub transposed: bool,
}

impl<T: Real + Stored> Thin<'_, '_, T> {
    /// Whether this module can compute the product.
    pub fn fits(&self) -> bool {
        let Product { rows, b, .. } = *self.product;
        rows <= DOT_ROWS && (b.step == 1 || (b.line == 1 && !self.transposed))
    }

    /// Computes the product with its epilogue into `c`. Earlier contents of `c` are overwritten.
    pub fn run(&self, c: &mut [T]) -> Result<()> {
        if self.product.b.step == 1 { self.dots(c) } else { self.sums(c) }
    }

    /// For lines of `B` that are contiguous along `k`: each element of the result is a dot product of two contiguous
    /// lines.
    fn dots(&self, c: &mut [T]) -> Result<()> {
        let Product { rows, columns, depth, a, b } = *self.product;
        let gathered = self.gathered()?;
        let a = gathered.as_deref().map_or(a, |data| Matrix { data, offset: 0, line: depth, step: 1 });
        let kernel = T::kernel(self.cpu.isa());
        let several = (TASK / depth.max(1)).next_multiple_of(DOT_LINES).max(DOT_LINES);
        let longest = LONGEST_BYTES / size_of::<T>();
        let shared = Shared::new(c);
        run_tasks(self.cpu, columns.div_ceil(several), self.product.cost(), |task| {
            let here = task * several..((task + 1) * several).min(columns);
            let mut all = self.cpu.pool().alloc_zeroed::<f64>(DOT_ROWS * several)?;
            for (first, totals) in here.clone().step_by(DOT_LINES).zip(all.chunks_mut(DOT_ROWS * DOT_LINES)) {
                for start in (0..depth).step_by(longest) {
                    let length = longest.min(depth - start);
                    // Rows and lines past the end repeat the last one.
                    let dots = Dots {
                        a: std::array::from_fn(|i| a.part(i.min(rows - 1), start, length)),
                        b: std::array::from_fn(|j| b.part((first + j).min(columns - 1), start, length)),
                        length,
                    };
                    // SAFETY: the backend has the instruction set; all lines are `length` long.
                    let sums = unsafe { (kernel.dots)(&dots, rows) };
                    // The results for other rows are not converted: if they are subnormal, that is slow.
                    for (total, sum) in totals.iter_mut().zip(sums.as_flattened()).take(rows * DOT_LINES) {
                        *total += sum.wide();
                    }
                }
            }
            let value = |i: usize, j: usize| T::of(all[(j / DOT_LINES * DOT_ROWS + i) * DOT_LINES + j % DOT_LINES]);
            if self.transposed {
                for (j, column) in here.enumerate() {
                    // SAFETY: this task's own stored row.
                    let out = unsafe { shared.slice(column * rows..(column + 1) * rows) };
                    out.iter_mut().enumerate().for_each(|(i, out)| *out = value(i, j));
                    self.finish.apply(out, 0);
                }
                return Ok(());
            }
            for i in 0..rows {
                // SAFETY: this task's own part of row `i`.
                let out = unsafe { shared.slice(i * columns + here.start..i * columns + here.end) };
                out.iter_mut().enumerate().for_each(|(j, out)| *out = value(i, j));
                self.finish.apply(out, here.start);
            }
            Ok(())
        })
    }

    /// A copy of `A` with contiguous rows; `None` if its rows are contiguous already.
    fn gathered(&self) -> Result<Option<Block<T>>> {
        let Product { rows, depth, a, .. } = *self.product;
        if a.step == 1 || depth == 0 {
            return Ok(None);
        }
        let mut all = self.cpu.pool().alloc::<T>(rows * depth)?;
        for (i, row) in all.chunks_mut(depth).enumerate() {
            for (k, x) in row.iter_mut().enumerate() {
                *x = a.data[a.at(i, k)];
            }
        }
        Ok(Some(all))
    }

    /// For contiguous rows of `B`: each task sums a range of `k` for a range of columns, and the ranges of `k` are then
    /// added in order.
    fn sums(&self, c: &mut [T]) -> Result<()> {
        let Product { rows, columns, depth, .. } = *self.product;
        let kernel = T::kernel(self.cpu.isa());
        let width = WIDTH.min(columns);
        let range = (TASK / width).min(RUN * RUNS).next_multiple_of(RUN);
        let (across, along) = (columns.div_ceil(width), depth.div_ceil(range).max(1));
        let mut sums = self.cpu.pool().alloc::<T>(along * rows * columns)?;
        let shared = Shared::new(&mut sums);
        run_tasks(self.cpu, across * along, self.product.cost(), |task| {
            let (i, j) = (task / across, task % across);
            let here = j * width..((j + 1) * width).min(columns);
            let sums = shared.at(i * rows * columns + here.start);
            self.part(&kernel, here, i * range..((i + 1) * range).min(depth), sums)
        })?;
        let shared = Shared::new(c);
        run_tasks(self.cpu, across, along * rows * columns, |j| {
            let here = j * width..((j + 1) * width).min(columns);
            let mut long = vec![0.0; here.len()];
            for row in 0..rows {
                let of = |part: usize| (part * rows + row) * columns;
                // SAFETY: each task has its own columns.
                let total = unsafe { shared.slice(row * columns + here.start..row * columns + here.end) };
                long.fill(0.0);
                for part in 0..along {
                    let some = &sums[of(part) + here.start..of(part) + here.end];
                    accumulate(self.cpu.isa(), some, &mut long);
                }
                round(self.cpu.isa(), &long, total);
                self.finish.apply(total, here.start);
            }
            Ok(())
        })
    }

    /// Sums a range of `k` for a range of columns into `sums`, whose rows are `product.columns` elements apart.
    fn part(&self, kernel: &Kernel<T>, columns: Range<usize>, depths: Range<usize>, sums: *mut T) -> Result<()> {
        let Product { rows, columns: pitch, a, b, .. } = *self.product;
        let width = 2 * kernel.lanes;
        let height = rows.div_ceil(rows.div_ceil(kernel.rows));
        let mut room = self.cpu.pool().alloc::<T>(RUN * width)?;
        for k in depths.clone().step_by(RUN) {
            let run = k..(k + RUN).min(depths.end);
            for start in columns.clone().step_by(width) {
                let here = start..(start + width).min(columns.end);
                let vectors = here.len().div_ceil(kernel.lanes);
                let (b_start, b_step) = if here.len() == vectors * kernel.lanes {
                    let first = b.at(here.start, k);
                    (b.data[first..=b.at(here.end - 1, run.end - 1)].as_ptr(), b.step)
                } else {
                    pack_columns(kernel, &b, here.clone(), run.clone(), vectors * kernel.lanes, &mut room);
                    (room.as_ptr(), vectors * kernel.lanes)
                };
                for first in (0..rows).step_by(height) {
                    let lines = first..(first + height).min(rows);
                    let tile = Tile {
                        a: a.data[a.at(first, k)..=a.at(lines.end - 1, run.end - 1)].as_ptr(),
                        a_row: a.line,
                        a_step: a.step,
                        segments: &[0],
                        length: run.len(),
                        b: b_start,
                        b_step,
                        c: sums.wrapping_add(first * pitch + start - columns.start),
                        c_row: pitch,
                        columns: here.len(),
                        accumulate: k > depths.start,
                        soon: Soon::nothing(b_start),
                    };
                    // SAFETY: the backend has the instruction set; the vectors are whole, in `b` or in `room`; the sums
                    // are this task's own.
                    unsafe { (kernel.run)(&tile, lines.len(), vectors) };
                }
            }
        }
        Ok(())
    }
}
