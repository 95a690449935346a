//! Products with one right operand, again and again: `C += A · B`, where `B` is packed once, and each product is computed
//! on the calling thread. The weights of a recurrent layer are multiplied with the state of every step.

use super::kernel::{Kernel, Real, Soon, Tile};
use super::pack::{Matrix, Panels, pack_columns};
use super::shared::{Shared, run_tasks};
use crate::CpuBackend;
use crate::memory::Block;
use crate::storage::Stored;
use taper_backend::Result;

/// A packed `B: [depth, columns]`.
pub(crate) struct PackedColumns<T: Real + Stored> {
    kernel: Kernel<T>,
    panels: Panels,
    depth: usize,
    /// The number of `k` that are packed together: chunk by chunk, each chunk panel by panel.
    chunk: usize,
    data: Block<T>,
}

impl<T: Real + Stored> PackedColumns<T> {
    /// Packs `b`, whose lines are the columns.
    pub fn new(cpu: &CpuBackend, b: &Matrix<T>, columns: usize, depth: usize) -> Result<Self> {
        let kernel = T::kernel(cpu.isa());
        let panels = Panels::new(&kernel, columns);
        let chunk = depth.div_ceil(depth.div_ceil(Kernel::<T>::LONGEST).max(1)).max(1);
        let mut data = cpu.pool().alloc::<T>(depth * panels.padded())?;
        let shared = Shared::new(&mut data);
        let count = panels.count();
        run_tasks(cpu, depth.div_ceil(chunk) * count, depth * columns, |i| {
            let (start, panel) = (i / count * chunk, i % count);
            let depths = start..(start + chunk).min(depth);
            let lines = panels.range(panel);
            let width = panels.vectors(panel) * kernel.lanes;
            let offset = start * panels.padded() + lines.start * depths.len();
            // SAFETY: each task has its own panel.
            let out = unsafe { shared.slice(offset..offset + width * depths.len()) };
            pack_columns(&kernel, b, lines, depths, width, out);
            Ok(())
        })?;
        Ok(Self { kernel, panels, depth, chunk, data })
    }

    /// The elements from one row of a left operand of `depth` columns to the next that suit the cache: an odd number of
    /// cache lines, so that the rows do not compete for a few of its sets.
    pub fn pitch(depth: usize) -> usize {
        let line = 64 / size_of::<T>();
        (depth.div_ceil(line) | 1) * line
    }

    /// `C += A · B` for `rows` rows, those of `a` `a_pitch` elements apart, those of `c` as many as `B` has columns. An
    /// element's sum is the same whatever the number of rows.
    ///
    /// # Panics
    /// When `a` or `c` is too short for the rows.
    pub fn add_product(&self, rows: usize, a: &[T], a_pitch: usize, c: &mut [T]) {
        if rows == 0 || self.depth == 0 {
            return;
        }
        let pitch = self.panels.columns;
        assert!(a.len() >= (rows - 1) * a_pitch + self.depth && c.len() >= rows * pitch);
        let height = rows.div_ceil(rows.div_ceil(self.kernel.rows));
        for start in (0..self.depth).step_by(self.chunk) {
            let length = self.chunk.min(self.depth - start);
            for panel in 0..self.panels.count() {
                let columns = self.panels.range(panel);
                let vectors = self.panels.vectors(panel);
                let b_step = vectors * self.kernel.lanes;
                let offset = start * self.panels.padded() + columns.start * length;
                let b = self.data[offset..offset + b_step * length].as_ptr();
                for first in (0..rows).step_by(height) {
                    let tile = Tile {
                        a: a[first * a_pitch + start..].as_ptr(),
                        a_row: a_pitch,
                        a_step: 1,
                        segments: &[0],
                        length,
                        b,
                        b_step,
                        c: c[first * pitch + columns.start..].as_mut_ptr(),
                        c_row: pitch,
                        columns: columns.len(),
                        accumulate: true,
                        soon: Soon::nothing(b),
                    };
                    // SAFETY: the backend has the instruction set; `a` and `c` have the rows, as asserted; the panel is
                    // `length` deep and `vectors` wide.
                    unsafe { (self.kernel.run)(&tile, height.min(rows - first), vectors) };
                }
            }
        }
    }
}
