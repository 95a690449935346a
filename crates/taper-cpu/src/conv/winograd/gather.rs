//! Winograd's algorithm for the forward convolution and the input gradient.

use super::aside::{self, Aside, TilePlace};
use super::range::{Cover, Measure};
use super::{GAP, POINTS, REACH, SIDE, Transforms};
use crate::conv::gather::{Gather, Target};
use crate::conv::tile::{Unit, Units};
use crate::gemm::{Kernel, Panels, Real, Shared, Soon, Tile, run_tasks};
use crate::memory::Block;
use crate::storage::Stored;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use taper_backend::Result;

/// The approximate number of tiles of a unit: with so many, reading the transformed kernels, which each unit does, is
/// not the bottleneck.
const TILES: usize = 32;
/// The least number of tiles of a unit: about the rows of the largest register tile.
const FEW: usize = 14;
/// The number of column panels whose products are in the cache at a time.
const GROUP: usize = 2;
/// The least number of tasks, where the size allows.
const TASKS: usize = 16;
/// The number of input channels whose kernels a task transforms.
const BAND: usize = 16;

/// The division of a convolution into tasks, and what the tasks share.
struct WinogradTasks<'a, T: Stored> {
    gather: &'a Gather<'a, T>,
    transforms: Transforms<T>,
    kernel: Kernel<T>,
    panels: Panels,
    /// The number of input channels that are multiplied at once.
    chunk: usize,
    /// The elements from one point's transformed kernels to the next point's.
    plane: usize,
    /// The transformed kernels: group by group, point by point, chunk by chunk, panel by panel.
    kernels: Block<T>,
    /// The magnitudes for which Winograd's algorithm may evaluate a tile.
    cover: Cover,
    /// Direct evaluation of all other tiles.
    aside: Aside<'a, T>,
}

/// Computes a gather over 3 × 3 windows into `target`. Returns `false`, with nothing computed, if the weight's
/// magnitudes do not allow Winograd's algorithm.
pub(in super::super) fn gather<T: Real + Stored>(
    gather: &Gather<T>,
    transforms: Transforms<T>,
    target: &Target<T>,
) -> Result<bool> {
    let Gather { cpu, source, weight, windows, groups, channels: [inputs, outputs], .. } = *gather;
    let [images, ..] = source.shape();
    let kernel = T::kernel(cpu.isa());
    let panels = Panels::new(&kernel, outputs);
    let chunk = inputs.div_ceil(inputs.div_ceil(Kernel::<T>::LONGEST));
    let plane = inputs * panels.padded() + GAP;
    let kernels = cpu.pool().alloc(groups * POINTS * plane)?;
    let tile_windows = aside::windows(windows);
    let by_tile = Gather { cpu, source, weight, windows: &tile_windows, ..*gather };
    let aside = Aside::new(&by_tile);
    let mut tasks =
        WinogradTasks { gather, transforms, kernel, panels, chunk, plane, kernels, cover: Cover::default(), aside };
    let largest = tasks.transform_kernels()?;
    let Some(cover) = Cover::of_inputs(largest, inputs) else { return Ok(false) };
    tasks.cover = cover;
    let positions = images * windows.grid[0] * windows.grid[1];
    let area = SIDE * SIDE;
    let size = (positions / TASKS).clamp(FEW * area, TILES * area);
    let units = Units::new(images, windows.grid, size, target.rows_together(SIDE));
    // With few positions, split the output channels over tasks too.
    let count = tasks.panels.count();
    let group = count.div_ceil(TASKS.div_ceil(units.count() * groups).min(count));
    let splits = count.div_ceil(group);
    let cost = positions.saturating_mul(inputs).saturating_mul(groups * outputs);
    run_tasks(cpu, units.count() * groups * splits, cost, |i| {
        let (rest, split) = (i / splits, i % splits);
        let (unit, of) = (units.get(rest / groups), rest % groups);
        tasks.task(&unit, of, split * group..((split + 1) * group).min(count), target)
    })?;
    Ok(true)
}

impl<T: Real + Stored> WinogradTasks<'_, T> {
    /// The index, in a point's kernels, of panel `panel` of the chunk that starts at input channel `start`.
    fn panel_start(&self, start: usize, panel: usize) -> usize {
        let depth = self.chunk.min(self.gather.channels[0] - start);
        start * self.panels.padded() + self.panels.range(panel).start * depth
    }

    /// G·w·Gᵀ for each kernel; returns the largest magnitude of all weights, as bits.
    fn transform_kernels(&mut self) -> Result<u32> {
        let Gather { cpu, weight, windows, groups, channels: [inputs, _], .. } = *self.gather;
        let shared = Shared::new(&mut self.kernels);
        let tasks = &*self;
        let (count, bands) = (tasks.panels.count(), inputs.div_ceil(BAND));
        let largest = AtomicU32::new(0);
        run_tasks(cpu, groups * count * bands, groups * POINTS * tasks.plane, |i| {
            let (group, panel, band) = (i / bands / count, i / bands % count, i % bands);
            let columns = tasks.panels.range(panel);
            let width = tasks.panels.vectors(panel) * tasks.kernel.lanes;
            let channels = band * BAND..((band + 1) * BAND).min(inputs);
            // Nine rows for each input channel, one for each place of the kernel; zeros beyond the last column.
            let mut rows = tasks.gather.cpu.pool().alloc_zeroed::<T>(channels.len() * 9 * width)?;
            let places: [usize; 9] = std::array::from_fn(|i| weight.at(group, channels.start, &windows.taps[i]));
            let mut copy = |i: usize, column: usize| {
                let from = &weight.data[i * weight.strides[1] + (columns.start + column) * weight.strides[0]..];
                let to = &mut rows[i * 9 * width + column..];
                for (row, place) in places.into_iter().enumerate() {
                    to[row * width] = from[place];
                }
            };
            // In the order in which the weight lies in memory.
            if weight.strides[0] > weight.strides[1] {
                (0..columns.len()).for_each(|column| (0..channels.len()).for_each(|i| copy(i, column)));
            } else {
                (0..channels.len()).for_each(|i| (0..columns.len()).for_each(|column| copy(i, column)));
            }
            // SAFETY: the backend has the instruction set; these are all of `rows`.
            largest
                .fetch_max(unsafe { (tasks.transforms.largest)(rows.as_ptr(), 0, 1, rows.len()) }, Ordering::Relaxed);
            for (ci, rows) in channels.zip(rows.chunks(9 * width)) {
                let start = ci / tasks.chunk * tasks.chunk;
                let to = group * POINTS * tasks.plane + tasks.panel_start(start, panel) + (ci - start) * width;
                let _ = shared.at(to + (POINTS - 1) * tasks.plane + width); // checks that it is inside
                let step = [REACH * tasks.plane, tasks.plane];
                // SAFETY: the backend has the instruction set; these are nine rows; each task has its own columns and
                // channels of all points.
                unsafe {
                    (tasks.transforms.weight)(rows.as_ptr(), [3 * width, width], shared.at(to), step, [REACH; 2], width)
                };
            }
            Ok(())
        })?;
        Ok(largest.into_inner())
    }

    /// Computes column panels `panels` of one group at the positions of one unit.
    fn task(&self, unit: &Unit, group: usize, panels: Range<usize>, target: &Target<T>) -> Result<()> {
        let Gather { cpu, windows, channels: [_, outputs], .. } = *self.gather;
        let width = windows.grid[1];
        let sizes = [unit.images.len(), unit.rows.len().div_ceil(SIDE), width.div_ceil(SIDE)];
        let tiles: usize = sizes.iter().product();
        let (values, aside) = self.transform_input(unit, group, sizes)?;
        let widest = (GROUP * 2 * self.kernel.lanes).min(outputs);
        let mut direct = if aside.is_empty() { None } else { Some(self.aside.prepare(group, aside, widest)?) };
        let mut products = cpu.pool().alloc::<T>(POINTS * (tiles * widest + GAP))?;
        for first in panels.clone().step_by(GROUP) {
            let panels = first..(first + GROUP).min(panels.end);
            let columns = self.panels.range(first).start..self.panels.range(panels.end - 1).end;
            let plane = tiles * columns.len() + GAP;
            self.multiply(group, panels.clone(), tiles, &values, &mut products, plane);
            let channels = group * outputs + columns.start..group * outputs + columns.end;
            target.fill(cpu, unit, width, channels, |c, pitch| {
                for t in 0..tiles {
                    let (n, i, j) = (t / (sizes[1] * sizes[2]), t / sizes[2] % sizes[1] * SIDE, t % sizes[2] * SIDE);
                    let to = c.wrapping_add(n * pitch[0] + i * pitch[1] + j * pitch[2]);
                    let size = [unit.rows.len() - i, width - j];
                    let from = products[t * columns.len()..].as_ptr();
                    let step = [REACH * plane, plane];
                    // SAFETY: the backend has the instruction set; `products` holds all points of the tile; `c` has a
                    // place for each of the unit's positions, to which `size` keeps.
                    unsafe { (self.transforms.output)(from, step, to, [pitch[1], pitch[2]], size, columns.len()) };
                }
                if let Some(direct) = &mut direct {
                    direct.evaluate(unit, width, group, panels, c, pitch);
                }
            })?;
        }
        Ok(())
    }

    /// Bᵀ·d·B for each tile of a unit, as `[point, tile, channel]`, and the places of the tiles that the error bound
    /// does not cover.
    fn transform_input(&self, unit: &Unit, group: usize, sizes: [usize; 3]) -> Result<(Block<T>, Vec<TilePlace>)> {
        let Gather { cpu, source, windows, channels: [inputs, _], .. } = self.gather;
        let [_, rows, across] = sizes;
        let (line, tiles) = (inputs + GAP, sizes.iter().product::<usize>());
        let mut values = cpu.pool().alloc::<T>(POINTS * tiles * line)?;
        let values_at = Shared::new(&mut values);
        let [tall, wide] = [rows * SIDE + 2, across * SIDE + 2];
        let mut image = cpu.pool().alloc::<T>(tall * wide * inputs)?;
        let (top, left) = (unit.rows.start as isize + windows.taps[0].y, windows.taps[0].x);
        let mut aside = Vec::new();
        for (index, n) in unit.images.clone().enumerate() {
            let channels = group * inputs..(group + 1) * inputs;
            let (y, x) = (top..top + tall as isize, left..left + wide as isize);
            source.load(cpu.isa(), n, channels, y, x, &mut image);
            let mut measure = Measure::new(&self.transforms, &image, wide, *inputs);
            for (i, j) in (0..rows).flat_map(|i| (0..across).map(move |j| (i, j))) {
                let from = image[(i * wide + j) * SIDE * inputs..].as_ptr();
                let tile = (index * rows + i) * across + j;
                let to = values_at.at(tile * line);
                let keys = measure.keys([unit.rows.len() - i * SIDE, windows.grid[1] - j * SIDE]);
                let step = [REACH * tiles * line, tiles * line];
                // SAFETY: the backend has the instruction set; `image` holds 6 × 6 places from there on, `values` a
                // line for each point of the tile.
                let seen = unsafe { (self.transforms.input)(from, [wide * inputs, *inputs], to, step, keys, *inputs) };
                measure.put([i, j], seen);
            }
            measure.complete();
            for (i, j) in (0..rows).flat_map(|i| (0..across).map(move |j| (i, j))) {
                let at = [unit.rows.start + i * SIDE, j * SIDE];
                let size = [unit.rows.end - at[0], windows.grid[1] - at[1]];
                if !self.cover.covers(measure.extent([i, j], size, self.cover)) {
                    aside.push(TilePlace { image: n, at });
                }
            }
        }
        Ok((values, aside))
    }

    /// For each point, multiplies the tiles' values by column panels `panels` of the transformed kernels.
    fn multiply(
        &self,
        group: usize,
        panels: Range<usize>,
        tiles: usize,
        values: &[T],
        products: &mut [T],
        plane: usize,
    ) {
        let inputs = self.gather.channels[0];
        let line = inputs + GAP;
        let height = tiles.div_ceil(tiles.div_ceil(self.kernel.rows));
        let first_column = self.panels.range(panels.start).start;
        let c_row = self.panels.range(panels.end - 1).end - first_column;
        let products = Shared::new(products);
        for point in 0..POINTS {
            let kernels = &self.kernels[(group * POINTS + point) * self.plane..][..self.plane];
            for start in (0..inputs).step_by(self.chunk) {
                let depth = self.chunk.min(inputs - start);
                for panel in panels.clone() {
                    let (columns, vectors) = (self.panels.range(panel), self.panels.vectors(panel));
                    let b_step = vectors * self.kernel.lanes;
                    let b = &kernels[self.panel_start(start, panel)..][..depth * b_step];
                    for first in (0..tiles).step_by(height) {
                        let rows = height.min(tiles - first);
                        let a = &values[(point * tiles + first) * line + start..][..(rows - 1) * line + depth];
                        let c = point * plane + first * c_row + columns.start - first_column;
                        let _ = products.at(c + (rows - 1) * c_row + columns.len()); // checks that it is inside
                        let tile = Tile {
                            a: a.as_ptr(),
                            a_row: line,
                            a_step: 1,
                            segments: &[0],
                            length: depth,
                            b: b.as_ptr(),
                            b_step,
                            c: products.at(c),
                            c_row,
                            columns: columns.len(),
                            accumulate: start > 0,
                            soon: Soon::nothing(b.as_ptr()),
                        };
                        // SAFETY: the backend has the instruction set; `a` and `b` were sliced to the panels' sizes,
                        // and the tile of `c` is inside.
                        unsafe { (self.kernel.run)(&tile, rows, vectors) };
                    }
                }
            }
        }
    }
}
