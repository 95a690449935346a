//! One matrix product: its division into tasks, and the work of a task.

use super::kernel::{Kernel, Real, Soon, Tile};
use super::pack::{Matrix, Panels, RowLayout, TOGETHER, pack_columns, pack_rows};
use super::shared::{Shared, on_threads, run_tasks};
use super::thin::Thin;
use crate::CpuBackend;
use crate::long_sum::{PRODUCTS, accumulate, round};
use crate::memory::Block;
use crate::storage::Stored;
use std::ops::Range;
use taper_backend::Result;

/// The most bytes of an operand that a task packs itself.
const OWN_BYTES: usize = 1 << 19;
/// The most row panels of a block: as many panels of depth [`Kernel::LONGEST`] stay in the L2 cache.
const GROUP: usize = 12;
/// The most column panels that are packed together: they stay in the L2 cache too. Rows of B are then read in long
/// pieces.
const WIDE: usize = 8;
/// The least number of tasks, where the size allows.
const TASKS: usize = 12;
/// The least number of tasks if B, of at most `FINE_BYTES`, stays in the L2 cache: smaller tasks balance threads that
/// wake late.
const FINE_TASKS: usize = 24;
const FINE_BYTES: usize = 1 << 20;
/// Products of fewer multiplications read their operands in place where they can, instead of packing them.
const TINY: usize = 32 * 32 * 32;

/// `C = A · B` with `A: [rows, depth]` and `B: [depth, columns]`.
pub(crate) struct Product<'a, T> {
    pub rows: usize,
    pub columns: usize,
    pub depth: usize,
    /// Lines are the rows.
    pub a: Matrix<'a, T>,
    /// Lines are the columns.
    pub b: Matrix<'a, T>,
}

/// The epilogue of a product: bias and ReLU, applied to each block of the result while it is in the cache.
#[derive(Clone, Copy, Default)]
pub(crate) struct Epilogue<'a, T> {
    /// The bias `[columns]`, added to each row.
    pub bias: Option<&'a [T]>,
    /// Whether ReLU is applied.
    pub relu: bool,
}

impl<T: Real> Epilogue<'_, T> {
    /// Whether the epilogue does nothing.
    pub fn is_nothing(&self) -> bool {
        self.bias.is_none() && !self.relu
    }

    /// Applies the epilogue to `row`, which starts at column `start`.
    pub fn apply(&self, row: &mut [T], start: usize) {
        if let Some(bias) = self.bias {
            for (x, &b) in row.iter_mut().zip(&bias[start..]) {
                *x += b;
            }
        }
        if self.relu {
            for x in row {
                // NaN stays NaN: it is not below 0.
                *x = if *x < T::default() { T::default() } else { *x };
            }
        }
    }
}

impl<T: Real + Stored> Product<'_, T> {
    /// Computes the product with its epilogue into `c: [rows, columns]`, row-major. Earlier contents of `c` are
    /// overwritten.
    pub fn run(&self, cpu: &CpuBackend, c: &mut [T], finish: Epilogue<T>) -> Result<()> {
        if self.rows == 0 || self.columns == 0 {
            return Ok(());
        }
        if self.cost() > TINY && self.depth > 0 {
            let Self { rows, columns, depth, a, b } = *self;
            let swapped = Product { rows: columns, columns: rows, depth, a: b, b: a };
            for (product, transposed) in [(self, false), (&swapped, true)] {
                let thin = Thin { cpu, product, finish, transposed };
                if thin.fits() {
                    let mut done = Ok(());
                    on_threads(cpu, self.cost(), &mut || done = thin.run(c));
                    return done;
                }
            }
        }
        // If the lines of B are contiguous along `k`, packing has to transpose B. If B is larger than A, transpose A
        // and the result instead.
        if self.b.line != 1 && self.b.step == 1 && self.rows * 2 <= self.columns && self.cost() > TINY {
            let Self { rows, columns, depth, a, b } = *self;
            let swapped = Product { rows: columns, columns: rows, depth, a: b, b: a };
            return ProductTasks::new(cpu, &swapped, finish, true).start(c);
        }
        ProductTasks::new(cpu, self, finish, false).start(c)
    }

    pub(super) fn cost(&self) -> usize {
        self.rows.saturating_mul(self.columns).saturating_mul(self.depth)
    }
}

/// The division of a product into tasks, and what the tasks share.
struct ProductTasks<'a, 'b, T> {
    cpu: &'a CpuBackend,
    product: &'a Product<'b, T>,
    finish: Epilogue<'a, T>,
    /// Whether the result is stored as `[columns, rows]`.
    transposed: bool,
    kernel: Kernel<T>,
    /// The rows of a row panel.
    height: usize,
    /// The column panels.
    panels: Panels,
    /// The depth of a chunk: the number of `k` that are packed at once.
    chunk: usize,
    layout: RowLayout,
}

/// Operands that are packed as a whole before the tasks run: chunk by chunk, each chunk panel by panel. If an operand
/// is `None`, each task packs its own part.
#[derive(Clone, Copy, Default)]
struct Packed<'a, T> {
    a: Option<&'a [T]>,
    b: Option<&'a [T]>,
}

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

/// A part of the result: ranges of row panels, of column panels, and of `k`.
#[derive(Clone)]
struct Part {
    rows: Range<usize>,
    columns: Range<usize>,
    depths: Range<usize>,
}

impl<'a, 'b, T: Real + Stored> ProductTasks<'a, 'b, T> {
    fn new(cpu: &'a CpuBackend, product: &'a Product<'b, T>, finish: Epilogue<'a, T>, transposed: bool) -> Self {
        let kernel = T::kernel(cpu.isa());
        // Row panels of nearly equal height: a last panel of, say, two rows would use the multipliers poorly.
        let height = product.rows.div_ceil(product.rows.div_ceil(kernel.rows));
        let chunk = product.depth.div_ceil(product.depth.div_ceil(Kernel::<T>::LONGEST).max(1)).max(1);
        let layout = RowLayout::of(&product.a, height, chunk);
        let panels = Panels::new(&kernel, product.columns);
        Self { cpu, product, finish, transposed, kernel, height, panels, chunk, layout }
    }

    /// The greatest depth to which a task packs its part of an operand.
    fn longest(&self) -> usize {
        OWN_BYTES / (GROUP * self.kernel.rows * size_of::<T>())
    }

    fn start(&self, c: &mut [T]) -> Result<()> {
        let mut done = Ok(());
        on_threads(self.cpu, self.product.cost(), &mut || done = self.run(c));
        done
    }

    fn run(&self, c: &mut [T]) -> Result<()> {
        let Product { rows, columns, depth, .. } = *self.product;
        let (row_panels, column_panels) = (rows.div_ceil(self.height), self.panels.count());
        let whole = Part { rows: 0..row_panels, columns: 0..column_panels, depths: 0..depth };
        let c = Shared::new(c);
        if self.product.cost() <= TINY {
            return self.task(&whole, Packed::default(), &c);
        }
        if depth >= 4096 && depth >= 32 * rows.max(columns) && rows * columns <= 1 << 18 {
            return self.split_depth(&whole, &c);
        }
        // The operand of more lines is packed by the tasks, each its part to the full depth, if that stays in the L2 cache.
        let long = depth > self.longest();
        let fine = depth * rows.min(columns) * size_of::<T>() <= FINE_BYTES;
        let tasks = if fine { FINE_TASKS } else { TASKS };
        let (a, b) = (rows < columns || long, rows >= columns || long);
        let all_rows = a.then(|| self.pack_all_rows()).transpose()?;
        let all_columns = b.then(|| self.pack_all_columns()).transpose()?;
        let packed = Packed { a: all_rows.as_deref(), b: all_columns.as_deref() };
        let down = if rows >= columns { row_panels.div_ceil(GROUP).max(row_panels.min(tasks)) } else { 1 };
        let across = if rows < columns {
            column_panels.div_ceil(WIDE).max(FINE_TASKS.min(column_panels.div_ceil(2)))
        } else {
            1
        };
        let (down, across) = match long {
            true => (down.max(row_panels.div_ceil(GROUP)), across.max(column_panels.div_ceil(WIDE))),
            false => (down, across),
        };
        run_tasks(self.cpu, down * across, self.product.cost(), |i| {
            let (i, j) = (i / across, i % across);
            let rows = row_panels * i / down..row_panels * (i + 1) / down;
            let columns = column_panels * j / across..column_panels * (j + 1) / across;
            self.task(&Part { rows, columns, ..whole.clone() }, packed, &c)
        })
    }

    /// For a small result of long sums (split-k): each task sums a range of `k`, and the ranges are then added in
    /// order.
    fn split_depth(&self, whole: &Part, c: &Shared<T>) -> Result<()> {
        let Product { rows, columns, depth, .. } = *self.product;
        let range = (depth.div_ceil(2 * TASKS)).next_multiple_of(self.chunk);
        let count = depth.div_ceil(range);
        let mut sums = self.cpu.pool().alloc::<T>(count * rows * columns)?;
        let shared = Shared::new(&mut sums);
        let most = PRODUCTS * self.chunk;
        run_tasks(self.cpu, count, self.product.cost(), |i| {
            let depths = i * range..((i + 1) * range).min(depth);
            // Chunk by chunk, so that what is packed at a time stays in the cache.
            let compute = |depths: Range<usize>, to| {
                depths.clone().step_by(self.chunk).try_for_each(|start| {
                    let chunk = start..(start + self.chunk).min(depths.end);
                    let (part, more) = (Part { depths: chunk.clone(), ..whole.clone() }, chunk.start > depths.start);
                    self.compute(&part, Packed::default(), to, columns, more)
                })
            };
            let to = shared.at(i * rows * columns);
            if depths.len() <= most {
                return compute(depths, to);
            }
            let mut long = vec![0.0; rows * columns];
            // SAFETY: each task has its own sums, which nothing else uses while the slice lives.
            let own = || unsafe { shared.slice(i * rows * columns..(i + 1) * rows * columns) };
            for start in depths.clone().step_by(most) {
                compute(start..(start + most).min(depths.end), to)?;
                accumulate(self.cpu.isa(), own(), &mut long);
            }
            round(self.cpu.isa(), &long, own());
            Ok(())
        })?;
        let mut total = self.cpu.pool().alloc::<T>(rows * columns)?;
        let band = rows.div_ceil(TASKS);
        let total_shared = Shared::new(&mut total);
        run_tasks(self.cpu, rows.div_ceil(band), count * rows * columns, |i| {
            let span = i * band * columns..((i + 1) * band).min(rows) * columns;
            // SAFETY: each task has its own span.
            let total = unsafe { total_shared.slice(span.clone()) };
            let mut long = vec![0.0; span.len()];
            sums.chunks(rows * columns).for_each(|part| accumulate(self.cpu.isa(), &part[span.clone()], &mut long));
            round(self.cpu.isa(), &long, total);
            self.store(i * band..((i + 1) * band).min(rows), 0..columns, total, c);
            Ok(())
        })
    }

    /// Computes a part of the result and stores it, with the epilogue.
    fn task(&self, part: &Part, packed: Packed<T>, c: &Shared<T>) -> Result<()> {
        let rows = part.rows.start * self.height..(part.rows.end * self.height).min(self.product.rows);
        let columns = self.panels.range(part.columns.start).start..self.panels.range(part.columns.end - 1).end;
        let pitch = self.product.columns;
        if self.transposed {
            let mut block = self.cpu.pool().alloc::<T>(rows.len() * columns.len())?;
            self.compute(part, packed, block.as_mut_ptr(), columns.len(), false)?;
            self.store(rows, columns, &mut block, c);
            return Ok(());
        }
        self.compute(part, packed, c.at(rows.start * pitch + columns.start), pitch, false)?;
        if !self.finish.is_nothing() {
            for i in rows {
                // SAFETY: this task's own part of row `i`.
                let row = unsafe { c.slice(i * pitch + columns.start..i * pitch + columns.end) };
                self.finish.apply(row, columns.start);
            }
        }
        Ok(())
    }

    /// Stores a block in the result, transposed if the result is stored transposed.
    fn store(&self, rows: Range<usize>, columns: Range<usize>, block: &mut [T], c: &Shared<T>) {
        let width = columns.len();
        if !self.transposed {
            for (i, block) in rows.zip(block.chunks_mut(width)) {
                self.finish.apply(block, columns.start);
                let start = i * self.product.columns + columns.start;
                // SAFETY: this task's own part of row `i`.
                unsafe { c.slice(start..start + width) }.copy_from_slice(block);
            }
            return;
        }
        for (j, column) in columns.enumerate() {
            let start = column * self.product.rows;
            // SAFETY: this task's own part of the stored row.
            let out = unsafe { c.slice(start + rows.start..start + rows.end) };
            for (i, x) in out.iter_mut().enumerate() {
                *x = block[i * width + j];
            }
            self.finish.apply(out, rows.start);
        }
    }

    /// Computes a part of the product into `c`, the address of the part's first element; rows are `pitch` elements
    /// apart. Blocks of [`GROUP`] row panels and [`WIDE`] column panels are computed to their full depth one after the
    /// other, so that a block of the result stays in the L2 cache meanwhile. With `accumulate` it is added to what `c` holds.
    fn compute(&self, part: &Part, packed: Packed<T>, c: *mut T, pitch: usize, accumulate: bool) -> Result<()> {
        let Product { rows, depth, .. } = *self.product;
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
                for first in (0..wide).step_by(WIDE) {
                    let group = first..(first + WIDE).min(wide);
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
        if depth == 0 {
            let first_column = self.panels.range(part.columns.start).start;
            for i in 0..(part.rows.end * self.height).min(rows) - part.rows.start * self.height {
                for j in 0..self.panels.range(part.columns.end - 1).end - first_column {
                    // SAFETY: inside the part.
                    unsafe { *c.add(i * pitch + j) = T::default() };
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
                pack_columns(b, self.panels.range(panel), these.clone(), width, out);
            }
        }
    }

    /// Packs all of B.
    fn pack_all_columns(&self) -> Result<Block<T>> {
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
            pack_columns(&b, lines, depths, width, out);
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
                pack_rows(&a, lines, these.clone(), self.layout, &mut out[first..]);
            }
        }
    }

    /// Packs all of A.
    fn pack_all_rows(&self) -> Result<Block<T>> {
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
