//! One matrix product, and its division into tasks; the work of a task is in `part.rs`.

use super::kernel::{Kernel, Real};
use super::pack::{Matrix, Panels, RowLayout};
use super::shared::{Shared, run_tasks};
use super::thin::Thin;
use crate::CpuBackend;
use crate::long_sum::{PRODUCTS, accumulate, round};
use crate::storage::Stored;
use std::ops::Range;
use taper_backend::Result;

/// The most bytes of an operand that a task packs itself.
const OWN_BYTES: usize = 1 << 19;
/// The most row panels of a block: as many panels of depth [`Kernel::LONGEST`] stay in the L2 cache.
pub(super) const GROUP: usize = 12;
/// The most column panels of a block, which are packed together: they stay in the L2 cache too. Rows of B are then read in
/// long pieces.
pub(super) const WIDE: usize = 8;
/// The least number of tasks, where the size allows.
const TASKS: usize = 12;
/// The least number of tasks for each thread if B, of at most `FINE_BYTES`, stays in the L2 cache. Which rows or columns are
/// one task's has no part in what their sums are.
const FINE_TASKS: usize = 4;
const FINE_BYTES: usize = 1 << 20;
/// Products of fewer multiplications read their operands in place where they can, instead of packing them.
pub(super) const TINY: usize = 32 * 32 * 32;

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
                    return thin.run(c);
                }
            }
        }
        // If the lines of B are contiguous along `k`, packing has to transpose B. If B is larger than A, transpose A
        // and the result instead.
        if self.b.line != 1 && self.b.step == 1 && self.rows * 2 <= self.columns && self.cost() > TINY {
            let Self { rows, columns, depth, a, b } = *self;
            let swapped = Product { rows: columns, columns: rows, depth, a: b, b: a };
            return ProductTasks::new(cpu, &swapped, finish, true).run(c);
        }
        ProductTasks::new(cpu, self, finish, false).run(c)
    }

    pub(super) fn cost(&self) -> usize {
        self.rows.saturating_mul(self.columns).saturating_mul(self.depth)
    }
}

/// The division of a product into tasks, and what the tasks share.
pub(super) struct ProductTasks<'a, 'b, T> {
    pub(super) cpu: &'a CpuBackend,
    pub(super) product: &'a Product<'b, T>,
    finish: Epilogue<'a, T>,
    /// Whether the result is stored as `[columns, rows]`.
    transposed: bool,
    pub(super) kernel: Kernel<T>,
    /// The rows of a row panel.
    pub(super) height: usize,
    /// The column panels.
    pub(super) panels: Panels,
    /// The depth of a chunk: the number of `k` that are packed at once.
    pub(super) chunk: usize,
    pub(super) layout: RowLayout,
}

/// Operands that are packed as a whole before the tasks run: chunk by chunk, each chunk panel by panel. If an operand
/// is `None`, each task packs its own part.
#[derive(Clone, Copy, Default)]
pub(super) struct Packed<'a, T> {
    pub(super) a: Option<&'a [T]>,
    pub(super) b: Option<&'a [T]>,
}

/// A part of the result: ranges of row panels, of column panels, and of `k`.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
    pub(super) depths: Range<usize>,
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
        // The operand of more lines is packed by the tasks, each its own part; where a task has several blocks to multiply
        // it with, to its full depth, which must stay in the L2 cache.
        let one_block = row_panels <= GROUP || column_panels <= WIDE;
        let shared = !one_block && depth > self.longest();
        let all_rows = (rows < columns || shared).then(|| self.pack_all_rows()).transpose()?;
        let all_columns = (rows >= columns || shared).then(|| self.pack_all_columns()).transpose()?;
        let packed = Packed { a: all_rows.as_deref(), b: all_columns.as_deref() };
        let (down, across) = (row_panels.div_ceil(GROUP), column_panels.div_ceil(WIDE));
        let (fine, fine_tasks) = (depth * columns * size_of::<T>() <= FINE_BYTES, FINE_TASKS * self.cpu.threads());
        let (down, across) = match (shared, rows >= columns) {
            (true, _) => (down.max(row_panels.min(TASKS.div_ceil(across))), across),
            (_, true) => (down.max(row_panels.min(if fine { fine_tasks } else { TASKS })), 1),
            (_, false) => (1, across.max(fine_tasks.min(column_panels.div_ceil(2)))),
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
            let compute = |depths, to| self.compute(&Part { depths, ..whole.clone() }, Packed::default(), to, columns);
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
            self.compute(part, packed, block.as_mut_ptr(), columns.len())?;
            self.store(rows, columns, &mut block, c);
            return Ok(());
        }
        self.compute(part, packed, c.at(rows.start * pitch + columns.start), pitch)?;
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
}
