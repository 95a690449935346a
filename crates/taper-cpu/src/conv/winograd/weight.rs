//! Winograd's algorithm for the weight gradient.

use super::range::{Cover, Extent, Measure, Verdict, verdict};
use super::{GAP, POINTS, REACH, SIDE, Transforms};
use crate::conv::source::Source;
use crate::conv::tile::{Unit, Units};
use crate::conv::weight::WeightGrad;
use crate::gemm::{Kernel, Panels, Real, Shared, Soon, Tile, run_tasks};
use crate::long_sum::{PRODUCTS, accumulate, add_rows, round};
use crate::storage::Stored;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use taper_backend::Result;

/// The approximate number of tiles of a unit: so many lines of a column panel stay in the L1 cache.
const TILES: usize = 96;
/// The least number of tiles of a unit.
const FEW: usize = 32;
/// The number of column panels of a task.
const GROUP: usize = 4;
/// The most input channels of a task.
const ROWS: usize = 128;
/// The most parts into which the sum over tiles is split.
const PARTS: usize = 8;

/// The division of a weight gradient into tasks, and what the tasks share.
struct WinogradWeightTasks<'a, T> {
    grad: &'a WeightGrad<'a, T>,
    transforms: Transforms<T>,
    kernel: Kernel<T>,
    panels: Panels,
    units: Units,
    parts: usize,
    /// The sums of each part: `[group, place, input channel, output channel]`.
    sums: Shared<T>,
    /// The sums of `g` (the bias gradient) of each part: `[group, channel]`.
    bias: Shared<T>,
    /// The number of tiles of all images.
    tiles: usize,
    /// Whether some tile requires that the whole gradient be evaluated directly.
    beyond: AtomicBool,
}

/// A task: input channels `rows` × column panels `panels` of one group, over the units of one part.
#[derive(Clone)]
struct TaskRegion {
    part: usize,
    group: usize,
    rows: Range<usize>,
    panels: Range<usize>,
    /// The panels' output channels.
    columns: Range<usize>,
}

/// A tile whose products are added directly: its image, its first position, and how many positions it has.
struct DirectTile {
    image: usize,
    at: [usize; 2],
    size: [usize; 2],
}

/// The values of a unit's tiles at the points, as `[point, tile, channel]`.
struct Values<'a, T> {
    data: &'a mut [T],
    line: usize,
    tiles: usize,
    /// The magnitudes of each tile's elements.
    extents: Vec<Extent>,
}

impl<T: Real> Values<'_, T> {
    /// Sets the values of `tile` to 0, so that it adds nothing to the sums.
    fn leave_out(&mut self, tile: usize, channels: usize) {
        for point in 0..POINTS {
            self.data[(point * self.tiles + tile) * self.line..][..channels].fill(T::default());
        }
    }
}

/// Splits the sum over positions into at most `most` parts, sums each on its own into the memory that `room(parts)`
/// allocates, and returns the number of parts; `None` if the operands' magnitudes do not allow Winograd's algorithm.
pub(in super::super) fn weight_grad<T: Real + Stored>(
    grad: &WeightGrad<T>,
    transforms: Transforms<T>,
    most: usize,
    room: impl FnOnce(usize) -> Result<[Shared<T>; 2]>,
) -> Result<Option<usize>> {
    let WeightGrad { cpu, windows, groups, channels: [inputs, outputs], .. } = *grad;
    let [images, ..] = grad.x.shape();
    let positions = images * windows.grid[0] * windows.grid[1];
    let size = (positions / PARTS).clamp(FEW * SIDE * SIDE, TILES * SIDE * SIDE);
    let units = Units::new(images, windows.grid, size, SIDE);
    let parts = most.clamp(1, PARTS).min(units.count());
    let [sums, bias] = room(parts)?;
    let kernel = T::kernel(cpu.isa());
    let panels = Panels::new(&kernel, outputs);
    let tiles = images * windows.grid[0].div_ceil(SIDE) * windows.grid[1].div_ceil(SIDE);
    let beyond = AtomicBool::new(false);
    let tasks = WinogradWeightTasks { grad, transforms, kernel, panels, units, parts, sums, bias, tiles, beyond };
    let (row_splits, column_splits) = (inputs.div_ceil(ROWS), tasks.panels.count().div_ceil(GROUP));
    let height = inputs.div_ceil(row_splits);
    let cost = positions.saturating_mul(inputs).saturating_mul(groups * outputs);
    run_tasks(cpu, parts * groups * row_splits * column_splits, cost, |i| {
        let (rest, row, column) = (i / column_splits / row_splits, i / column_splits % row_splits, i % column_splits);
        let rows = row * height..((row + 1) * height).min(inputs);
        let panels = column * GROUP..((column + 1) * GROUP).min(tasks.panels.count());
        let columns = tasks.panels.range(panels.start).start..tasks.panels.range(panels.end - 1).end;
        tasks.task(&TaskRegion { part: rest / groups, group: rest % groups, rows, panels, columns })
    })?;
    Ok((!tasks.beyond.into_inner()).then_some(parts))
}

impl<T: Real + Stored> WinogradWeightTasks<'_, T> {
    fn task(&self, task: &TaskRegion) -> Result<()> {
        let WeightGrad { cpu, windows, channels: [inputs, outputs], groups, .. } = *self.grad;
        let TaskRegion { part, group, rows, panels, columns } = task.clone();
        let [images, tall] = self.units.largest();
        let most = images * tall.div_ceil(SIDE) * windows.grid[1].div_ceil(SIDE);
        let (line, g_line) = (rows.len() + GAP, columns.len().next_multiple_of(self.kernel.lanes) + GAP);
        let mut values = cpu.pool().alloc::<T>(POINTS * most * line)?;
        let mut g_values = cpu.pool().alloc::<T>(POINTS * most * g_line)?;
        let plane = rows.len() * columns.len() + GAP;
        let mut products = cpu.pool().alloc::<T>(POINTS * plane)?;
        let products = Shared::new(&mut products);
        let count = self.units.count();
        let units = part * count / self.parts..(part + 1) * count / self.parts;
        let start = (part * groups + group) * outputs;
        let mut bias = (rows.start == 0).then(|| vec![0.0; columns.len()]);
        // The f64 sums of all products but the last few, if there are many.
        let mut long = Vec::new();
        let mut aside = Vec::new();
        for index in units.clone() {
            if self.beyond.load(Ordering::Relaxed) {
                return Ok(());
            }
            let few = (index - units.start) % PRODUCTS;
            if few == 0 && index > units.start {
                long.resize(products.len(), 0.0);
                // SAFETY: this task's own.
                accumulate(cpu.isa(), unsafe { products.slice(0..products.len()) }, &mut long);
            }
            let unit = self.units.get(index);
            let x_channels = group * inputs + rows.start..group * inputs + rows.end;
            let g_channels = group * outputs + columns.start..group * outputs + columns.end;
            let mut x = self.transform(&self.grad.x, &unit, x_channels, line, &mut values, None)?;
            let mut g =
                self.transform(&self.grad.g, &unit, g_channels, g_line, &mut g_values, Some(bias.as_deref_mut()))?;
            self.judge(task, &unit, &mut x, &mut g, &mut aside);
            self.multiply(&panels, &x, &g, rows.len(), &products, plane, few > 0);
        }
        if let Some(bias) = bias {
            // SAFETY: only the first rows' task of a part, group and panel adds up its columns.
            round(cpu.isa(), &bias, unsafe { self.bias.slice(start + columns.start..start + columns.end) });
        }
        if !long.is_empty() {
            // SAFETY: this task's own.
            let products = unsafe { products.slice(0..products.len()) };
            accumulate(cpu.isa(), products, &mut long);
            round(cpu.isa(), &long, products);
        }
        for (i, ci) in rows.enumerate() {
            let to = ((part * groups + group) * 9 * inputs + ci) * outputs + columns.start;
            let step = inputs * outputs;
            let _ = self.sums.at(to + 8 * step + columns.len()); // checks that it is inside
            let from = products.at(i * columns.len());
            // SAFETY: the backend has the instruction set; `products` holds all points; each part, group, row and panel
            // belongs to one task.
            unsafe {
                (self.transforms.weight_gradient)(
                    from,
                    [REACH * plane, plane],
                    self.sums.at(to),
                    [3 * step, step],
                    [3; 2],
                    columns.len(),
                )
            };
        }
        self.add_directly(task, &aside)
    }

    /// Sets the tiles of a unit that the error bound does not cover to 0, and appends them to `aside`.
    fn judge(&self, task: &TaskRegion, unit: &Unit, x: &mut Values<T>, g: &mut Values<T>, aside: &mut Vec<DirectTile>) {
        let width = self.grad.windows.grid[1];
        let across = width.div_ceil(SIDE);
        let rows = unit.rows.len().div_ceil(SIDE);
        for tile in 0..x.tiles {
            match verdict(x.extents[tile], g.extents[tile], self.tiles) {
                Verdict::Beyond => self.beyond.store(true, Ordering::Relaxed),
                Verdict::Taken => {}
                Verdict::Aside => {
                    x.leave_out(tile, task.rows.len());
                    g.leave_out(tile, task.columns.len());
                    let at = [unit.rows.start + tile / across % rows * SIDE, tile % across * SIDE];
                    let size = [(unit.rows.end - at[0]).min(SIDE), (width - at[1]).min(SIDE)];
                    aside.push(DirectTile { image: unit.images.start + tile / across / rows, at, size });
                }
            }
        }
        // With so many tiles, adding them one by one would lose precision and be slow.
        if aside.len() > PRODUCTS {
            self.beyond.store(true, Ordering::Relaxed);
        }
    }

    /// Adds the products of the tiles at `places` to the sums by direct evaluation, one tile after another.
    fn add_directly(&self, task: &TaskRegion, places: &[DirectTile]) -> Result<()> {
        if places.is_empty() {
            return Ok(());
        }
        let WeightGrad { cpu, windows, channels: [inputs, outputs], groups, .. } = *self.grad;
        let TaskRegion { part, group, rows, panels, columns } = task.clone();
        let count = rows.len();
        let mut x = cpu.pool().alloc::<T>(REACH * REACH * count)?;
        // The last vector of a panel may read beyond the last column; those results are not stored.
        let mut g = cpu.pool().alloc_zeroed::<T>(SIDE * SIDE * columns.len() + 2 * self.kernel.lanes)?;
        let segments: [usize; SIDE] = std::array::from_fn(|i| i * REACH * count);
        let height = count.div_ceil(count.div_ceil(self.kernel.rows));
        for DirectTile { image, at, size } in places {
            let [y, x_at] = at.map(|at| at as isize);
            let (top, left, reach) = (y + windows.taps[0].y, x_at + windows.taps[0].x, REACH as isize);
            let channels = group * inputs + rows.start..group * inputs + rows.end;
            self.grad.x.load(cpu.isa(), *image, channels, top..top + reach, left..left + reach, &mut x);
            let channels = group * outputs + columns.start..group * outputs + columns.end;
            let [bottom, right] = [y + size[0] as isize, x_at + size[1] as isize];
            let room = &mut g[..size[0] * size[1] * columns.len()];
            self.grad.g.load(cpu.isa(), *image, channels, y..bottom, x_at..right, room);
            for tap in 0..9 {
                let from = (tap / 3 * REACH + tap % 3) * count;
                let to = (((part * groups + group) * 9 + tap) * inputs + rows.start) * outputs;
                for panel in panels.clone() {
                    let (own, vectors) = (self.panels.range(panel), self.panels.vectors(panel));
                    let b = &g[own.start - columns.start..];
                    debug_assert!((size[0] * size[1] - 1) * columns.len() + vectors * self.kernel.lanes <= b.len());
                    for start in (0..count).step_by(height) {
                        let high = height.min(count - start);
                        let a = &x[from + start..];
                        let c = to + start * outputs + own.start;
                        let _ = self.sums.at(c + (high - 1) * outputs + own.len()); // checks that it is inside
                        let tile = Tile {
                            a: a.as_ptr(),
                            a_row: 1,
                            a_step: count,
                            segments: &segments[..size[0]],
                            length: size[1],
                            b: b.as_ptr(),
                            b_step: columns.len(),
                            c: self.sums.at(c),
                            c_row: outputs,
                            columns: own.len(),
                            accumulate: true,
                            soon: Soon::nothing(b.as_ptr()),
                        };
                        // SAFETY: the backend has the instruction set; `x` holds all places that the tile's windows
                        // read, `g` a line for each of its positions and a vector's room behind the last; the sums of
                        // this part, group, rows and panels are this task's.
                        unsafe { (self.kernel.run)(&tile, high, vectors) };
                    }
                }
            }
        }
        Ok(())
    }

    /// Transforms the tiles of a unit to their values at the points. With `gradient: None` the source is `x`; with
    /// `Some(sums)` it is the output's gradient, which is also added to `sums` if they are given.
    fn transform<'v>(
        &self,
        source: &Source<T>,
        unit: &Unit,
        channels: Range<usize>,
        line: usize,
        values: &'v mut [T],
        gradient: Option<Option<&mut [f64]>>,
    ) -> Result<Values<'v, T>> {
        let WeightGrad { cpu, windows, .. } = self.grad;
        let (rows, across) = (unit.rows.len().div_ceil(SIDE), windows.grid[1].div_ceil(SIDE));
        let tiles = unit.images.len() * rows * across;
        let (margin, top, left, map) = match gradient {
            None => (2, windows.taps[0].y, windows.taps[0].x, self.transforms.input),
            Some(_) => (0, 0, 0, self.transforms.gradient),
        };
        let [tall, wide] = [rows * SIDE + margin, across * SIDE + margin];
        let top = unit.rows.start as isize + top;
        let count = channels.len();
        let mut image = cpu.pool().alloc::<T>(tall * wide * count)?;
        let mut extents = Vec::with_capacity(tiles);
        let size = |i: usize, j: usize| [unit.rows.len() - i * SIDE, windows.grid[1] - j * SIDE];
        let is_gradient = gradient.is_some();
        let mut sums = gradient.flatten();
        let values_at = Shared::new(&mut *values);
        let step = [REACH * tiles * line, tiles * line];
        for (index, n) in unit.images.clone().enumerate() {
            let (y, x) = (top..top + tall as isize, left..left + wide as isize);
            source.load(cpu.isa(), n, channels.clone(), y, x, &mut image);
            let mut measure = Measure::new(&self.transforms, &image, wide, count);
            if let Some(sums) = &mut sums {
                add_rows(cpu.isa(), &image, count, sums);
            }
            for (i, j) in (0..rows).flat_map(|i| (0..across).map(move |j| (i, j))) {
                let from = image[(i * wide + j) * SIDE * count..].as_ptr();
                let to = ((index * rows + i) * across + j) * line;
                let _ = values_at.at(to + (POINTS - 1) * step[1] + count); // checks that it is inside
                let keys = if is_gradient { [0; 4] } else { measure.keys(size(i, j)) };
                // SAFETY: the backend has the instruction set; `image` holds the places of the tile.
                let seen = unsafe { map(from, [wide * count, count], values_at.at(to), step, keys, count) };
                if is_gradient {
                    extents.push(Extent { largest: seen.largest, even: true });
                } else {
                    measure.put([i, j], seen);
                }
            }
            if !is_gradient {
                measure.complete();
                let tiles = (0..rows).flat_map(|i| (0..across).map(move |j| [i, j]));
                extents.extend(tiles.map(|[i, j]| measure.extent([i, j], size(i, j), Cover::moderate())));
            }
        }
        Ok(Values { data: values, line, tiles, extents })
    }

    /// For each point, sums the products of `x`'s values and `g`'s over the tiles, for each pair of channels.
    #[allow(clippy::too_many_arguments)]
    fn multiply(
        &self,
        panels: &Range<usize>,
        x: &Values<T>,
        g: &Values<T>,
        inputs: usize,
        products: &Shared<T>,
        plane: usize,
        accumulate: bool,
    ) {
        let tiles = x.tiles;
        let height = inputs.div_ceil(inputs.div_ceil(self.kernel.rows));
        let first_column = self.panels.range(panels.start).start;
        let c_row = self.panels.range(panels.end - 1).end - first_column;
        for point in 0..POINTS {
            for panel in panels.clone() {
                let (columns, vectors) = (self.panels.range(panel), self.panels.vectors(panel));
                let b_start = point * tiles * g.line + columns.start - first_column;
                let b = &g.data[b_start..][..(tiles - 1) * g.line + vectors * self.kernel.lanes];
                for start in (0..inputs).step_by(height) {
                    let rows = height.min(inputs - start);
                    let a = &x.data[point * tiles * x.line + start..][..(tiles - 1) * x.line + rows];
                    let c = point * plane + start * c_row + columns.start - first_column;
                    let _ = products.at(c + (rows - 1) * c_row + columns.len()); // checks that it is inside
                    let tile = Tile {
                        a: a.as_ptr(),
                        a_row: 1,
                        a_step: x.line,
                        segments: &[0],
                        length: tiles,
                        b: b.as_ptr(),
                        b_step: g.line,
                        c: products.at(c),
                        c_row,
                        columns: columns.len(),
                        accumulate,
                        soon: Soon::nothing(b.as_ptr()),
                    };
                    // SAFETY: the backend has the instruction set; `a` and `b` were sliced to what is read, and the
                    // tile of `c` is inside.
                    unsafe { (self.kernel.run)(&tile, rows, vectors) };
                }
            }
        }
    }
}
