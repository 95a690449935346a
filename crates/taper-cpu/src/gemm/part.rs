//! A part of a matrix product: packing, and the order in which its tiles are computed.

use super::kernel::{Real, Soon, Tile};
use super::pack::{RowLayout, TOGETHER, fetch_rows, pack_columns, pack_rows};
use super::product::{GROUP, Packed, Part, Product, ProductTasks, TINY, WIDE};
use super::shared::{Shared, run_tasks};
use crate::memory::Block;
use crate::storage::Stored;
use std::ops::Range;
use taper_backend::Result;

/// What a task has packed of its own part: chunk by chunk, each chunk panel by panel.
#[derive(Clone, Copy)]
struct Room<'a, T> {
    a: &'a [T],
    b: &'a [T],
}

/// `range` in pieces of nearly equal length, of at most `most`.
fn blocks(range: &Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> + use<> {
    let (start, len) = (range.start, range.len());
    let count = len.div_ceil(most);
    (0..count).map(move |i| start + len * i / count..start + len * (i + 1) / count)
}

impl<T: Real + Stored> ProductTasks<'_, '_, T> {
    /// Computes a part of the product into `c`, the address of the part's first element; rows are `pitch` elements
    /// apart.
    pub(super) fn compute(&self, part: &Part, packed: Packed<T>, c: *mut T, pitch: usize) -> Result<()> {
        if part.depths.is_empty() {
            let columns = self.panels.range(part.columns.start).start..self.panels.range(part.columns.end - 1).end;
            for i in 0..(part.rows.end * self.height).min(self.product.rows) - part.rows.start * self.height {
                for j in 0..columns.len() {
                    // SAFETY: inside the part.
                    unsafe { *c.add(i * pitch + j) = T::default() };
                }
            }
        }
        // Chunk by chunk where what is packed is needed for one block alone, or is too much to be packed at once.
        let one_block = part.rows.len() <= GROUP && part.columns.len() <= WIDE;
        let piece = match one_block || (packed.a.is_none() && packed.b.is_none()) {
            true => self.chunk,
            false => part.depths.len().max(1),
        };
        for start in part.depths.clone().step_by(piece) {
            let depths = start..(start + piece).min(part.depths.end);
            self.compute_piece(&Part { depths, ..part.clone() }, packed, c, pitch, start > part.depths.start)?;
        }
        Ok(())
    }

    /// As [`compute`](Self::compute), of depths of which all is packed first that is not packed yet. Blocks of [`GROUP`] row
    /// panels and [`WIDE`] column panels are then computed to their full depth one after the other, so that a block of the
    /// result stays in the L2 cache meanwhile. With `accumulate` it is added to what `c` holds.
    fn compute_piece(&self, part: &Part, packed: Packed<T>, c: *mut T, pitch: usize, accumulate: bool) -> Result<()> {
        let (pool, direct) = (self.cpu.pool(), self.product.cost() <= TINY);
        let chunks = part.depths.len().div_ceil(self.chunk);
        let own = packed.a.is_none() && !direct;
        let mut a_room = pool.alloc::<T>(if own { chunks * part.rows.len() * self.layout.size } else { 0 })?;
        let width = 2 * self.kernel.lanes * self.chunk;
        let wide = part.columns.len();
        let mut b_room = pool.alloc::<T>(if packed.b.is_some() { 0 } else { chunks * wide * width })?;
        for (i, start) in part.depths.clone().step_by(self.chunk).enumerate() {
            let depths = start..(start + self.chunk).min(part.depths.end);
            if own {
                let size = part.rows.len() * self.layout.size;
                self.pack_row_panels(part.rows.clone(), depths.clone(), &mut a_room[i * size..(i + 1) * size]);
            }
            if packed.b.is_none() {
                for group in blocks(&(0..wide), WIDE) {
                    let out = &mut b_room[(i * wide + group.start) * width..(i * wide + group.end) * width];
                    let group = part.columns.start + group.start..part.columns.start + group.end;
                    self.pack_group(group, depths.clone(), out);
                }
            }
        }
        let room = Room { a: &a_room, b: &b_room };
        for columns in blocks(&part.columns, WIDE) {
            for rows in blocks(&part.rows, GROUP) {
                for start in part.depths.clone().step_by(self.chunk) {
                    let depths = start..(start + self.chunk).min(part.depths.end);
                    let block = Part { rows: rows.clone(), columns: columns.clone(), depths };
                    self.block(part, &block, packed, room, (c, pitch), accumulate || start > part.depths.start);
                }
            }
        }
        Ok(())
    }

    /// Computes a block of `part`, of one chunk of depths.
    fn block(
        &self,
        part: &Part,
        block: &Part,
        packed: Packed<T>,
        room: Room<T>,
        (c, pitch): (*mut T, usize),
        accumulate: bool,
    ) {
        let first_column = self.panels.range(part.columns.start).start;
        let depths = &block.depths;
        let count = block.rows.len();
        for column_panel in block.columns.clone() {
            let (columns, vectors) = (self.panels.range(column_panel), self.panels.vectors(column_panel));
            let b_step = vectors * self.kernel.lanes;
            let b = self.column_panel(part, column_panel, depths, packed.b, room.b);
            // The panel after it: the block's next, or the first of the next chunk.
            let next = if column_panel + 1 < block.columns.end {
                self.column_panel(part, column_panel + 1, depths, packed.b, room.b)
            } else if depths.end < part.depths.end {
                let depths = depths.end..(depths.end + self.chunk).min(part.depths.end);
                self.column_panel(part, block.columns.start, &depths, packed.b, room.b)
            } else {
                b
            };
            for panel in block.rows.clone() {
                let lines = panel * self.height..((panel + 1) * self.height).min(self.product.rows);
                let (a, a_row, a_step) = self.row_panel(part, panel, &lines, depths, packed.a, room.a);
                let i = lines.start - part.rows.start * self.height;
                // What the task has not packed itself is not in its cache yet.
                let soon = match (packed.a, packed.b) {
                    (_, Some(_)) => {
                        Soon::share(next, b_step * depths.len(), (panel - block.rows.start, count), depths.len())
                    }
                    (Some(_), None) if column_panel == block.columns.start => {
                        Soon::share(a.wrapping_add(self.layout.size), self.layout.size, (0, 1), depths.len())
                    }
                    _ => Soon::nothing(a),
                };
                let tile = Tile {
                    a,
                    a_row,
                    a_step,
                    segments: &[0],
                    length: depths.len(),
                    b,
                    b_step,
                    c: c.wrapping_add(i * pitch + columns.start - first_column),
                    c_row: pitch,
                    columns: columns.len(),
                    accumulate,
                    soon,
                };
                // SAFETY: the backend has the instruction set; the panels are as long as `depths`, the row panel
                // `lines` high, the column panel `vectors` wide; the tile of `c` is inside the part.
                unsafe { (self.kernel.run)(&tile, lines.len(), vectors) };
                // The rows that are packed next are read meanwhile.
                if !room.a.is_empty() && depths.end == part.depths.end {
                    let next = depths.end..(depths.end + self.chunk).min(self.product.depth);
                    let share = (column_panel - block.columns.start, block.columns.len());
                    fetch_rows(&self.product.a, lines, next, share);
                }
            }
        }
    }

    /// The address of a packed column panel of a chunk of depths: in `all` of B, or in what the task has packed of `part`.
    fn column_panel(
        &self,
        part: &Part,
        panel: usize,
        depths: &Range<usize>,
        all: Option<&[T]>,
        room: &[T],
    ) -> *const T {
        let width = self.panels.vectors(panel) * self.kernel.lanes;
        let start = match all {
            Some(_) => depths.start * self.panels.padded() + self.panels.range(panel).start * depths.len(),
            None => {
                let chunk = (depths.start - part.depths.start) / self.chunk;
                let place = chunk * part.columns.len() + panel - part.columns.start;
                place * 2 * self.kernel.lanes * self.chunk
            }
        };
        all.unwrap_or(room)[start..start + width * depths.len()].as_ptr()
    }

    /// The address of a row panel of a chunk of depths, with the elements from one row to the next and from one `k` to the
    /// next: in `all` of A, in what the task has packed of `part`, or in A itself.
    fn row_panel(
        &self,
        part: &Part,
        panel: usize,
        lines: &Range<usize>,
        depths: &Range<usize>,
        all: Option<&[T]>,
        room: &[T],
    ) -> (*const T, usize, usize) {
        let (a, RowLayout { row, step, size }) = (&self.product.a, self.layout);
        let at = |place: usize, data: &[T]| (data[place * size..(place + 1) * size].as_ptr(), row, step);
        match all {
            Some(all) => at(depths.start / self.chunk * self.product.rows.div_ceil(self.height) + panel, all),
            None if room.is_empty() => {
                let (first, last) = (a.at(lines.start, depths.start), a.at(lines.end - 1, depths.end - 1));
                (a.data[first..=last].as_ptr(), a.line, a.step)
            }
            None => {
                let chunk = (depths.start - part.depths.start) / self.chunk;
                at(chunk * part.rows.len() + panel - part.rows.start, room)
            }
        }
    }

    /// Packs several column panels, `2 · lanes · chunk` elements apart in `out`. If rows of B are contiguous,
    /// [`TOGETHER`] rows of all panels are packed at a time.
    fn pack_group(&self, panels: Range<usize>, depths: Range<usize>, out: &mut [T]) {
        let b = &self.product.b;
        let some = if b.line == 1 { TOGETHER } else { depths.len() };
        for start in depths.clone().step_by(some) {
            let these = start..(start + some).min(depths.end);
            for (panel, out) in panels.clone().zip(out.chunks_mut(2 * self.kernel.lanes * self.chunk)) {
                let width = self.panels.vectors(panel) * self.kernel.lanes;
                let out = &mut out[(start - depths.start) * width..(these.end - depths.start) * width];
                pack_columns(&self.kernel, b, self.panels.range(panel), these.clone(), width, out);
            }
        }
    }

    /// Packs all of B.
    pub(super) fn pack_all_columns(&self) -> Result<Block<T>> {
        let Product { depth, b, .. } = *self.product;
        let mut all = self.cpu.pool().alloc::<T>(depth * self.panels.padded())?;
        let shared = Shared::new(&mut all);
        let (chunks, count) = (depth.div_ceil(self.chunk), self.panels.count());
        run_tasks(self.cpu, chunks * count, self.product.cost(), |i| {
            let (start, panel) = (i / count * self.chunk, i % count);
            let depths = start..(start + self.chunk).min(depth);
            let lines = self.panels.range(panel);
            let width = self.panels.vectors(panel) * self.kernel.lanes;
            let offset = start * self.panels.padded() + lines.start * depths.len();
            // SAFETY: each task has its own panel.
            let out = unsafe { shared.slice(offset..offset + width * depths.len()) };
            pack_columns(&self.kernel, &b, lines, depths, width, out);
            Ok(())
        })?;
        Ok(all)
    }

    /// Packs several row panels, one after the other in `out`. If columns of A are contiguous, [`TOGETHER`] of them are
    /// packed at a time, of all panels: they are then read in long pieces.
    fn pack_row_panels(&self, panels: Range<usize>, depths: Range<usize>, out: &mut [T]) {
        let Product { rows, a, .. } = *self.product;
        let some = if self.layout.step != 1 && a.line == 1 { TOGETHER } else { depths.len().max(1) };
        for start in depths.clone().step_by(some) {
            let these = start..(start + some).min(depths.end);
            for (panel, out) in panels.clone().zip(out.chunks_mut(self.layout.size)) {
                let lines = panel * self.height..((panel + 1) * self.height).min(rows);
                let first = (start - depths.start) * self.layout.step;
                pack_rows(&self.kernel, &a, lines, these.clone(), self.layout, &mut out[first..]);
            }
        }
    }

    /// Packs all of A.
    pub(super) fn pack_all_rows(&self) -> Result<Block<T>> {
        let Product { depth, rows, .. } = *self.product;
        let (chunks, count) = (depth.div_ceil(self.chunk), rows.div_ceil(self.height));
        let mut all = self.cpu.pool().alloc::<T>(chunks * count * self.layout.size)?;
        let shared = Shared::new(&mut all);
        let groups = count.div_ceil(WIDE);
        run_tasks(self.cpu, chunks * groups, self.product.cost(), |i| {
            let (chunk, group) = (i / groups, i % groups);
            let start = chunk * self.chunk;
            let panels = group * WIDE..((group + 1) * WIDE).min(count);
            let (first, last) = (chunk * count + panels.start, chunk * count + panels.end);
            // SAFETY: each task has its own panels.
            let out = unsafe { shared.slice(first * self.layout.size..last * self.layout.size) };
            self.pack_row_panels(panels, start..(start + self.chunk).min(depth), out);
            Ok(())
        })?;
        Ok(all)
    }
}
