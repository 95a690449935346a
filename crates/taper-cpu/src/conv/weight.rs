//! `dw[co, ci, tap] = Σ_n Σ_i Σ_j x[n, ci, i·s + tap.y, j·s + tap.x] · g[n, co, i, j]`: the weight gradient.
//!
//! It is a matrix product whose rows are the elements of a patch, read from the tile in place, and whose columns are
//! the output channels. The sum over positions is split into parts; each part is summed on its own, and the parts are
//! added in order.

use super::source::Source;
use super::tile::{Unit, Units, Windows};
use super::winograd;
use crate::CpuBackend;
use crate::gemm::{Kernel, Panels, Real, Shared, Soon, Tile, run_tasks};
use crate::long_sum::{PRODUCTS, accumulate, add, add_rows, round};
use crate::parallel::TASK;
use crate::storage::Stored;
use std::ops::Range;
use taper_backend::Result;

/// The approximate number of positions of a unit: a column panel of so many lines stays in the L1 cache.
const POSITIONS: usize = 128;
/// The least number of tasks, where the size allows.
const TASKS: usize = 16;
/// The most positions of a row that are multiplied at once.
const PIECE: usize = 512;
/// The approximate number of elements of all parts' sums together.
const ROOM: usize = 1 << 21;
/// The number of output channels whose parts are added and stored together.
const BLOCK: usize = 16;

/// The operands of one weight gradient.
pub(crate) struct WeightGrad<'a, T> {
    pub cpu: &'a CpuBackend,
    pub x: Source<'a, T>,
    pub g: Source<'a, T>,
    /// The windows of the forward convolution.
    pub windows: &'a Windows,
    pub groups: usize,
    /// The number of input and output channels of a group.
    pub channels: [usize; 2],
}

/// The division of a weight gradient into tasks, and what the tasks share.
struct WeightGradTasks<'a, T> {
    grad: &'a WeightGrad<'a, T>,
    kernel: Kernel<T>,
    panels: Panels,
    units: Units,
    /// The number of parts that the units are divided into.
    parts: usize,
    runs: Vec<usize>,
    run: usize,
    /// The sums of each part: `[group, run, element, channel]`.
    sums: Shared<T>,
    /// The sums of `g` (the bias gradient) of each part: `[group, channel]`.
    bias: Shared<T>,
}

impl<T: Real + Stored> WeightGrad<'_, T> {
    /// Writes the weight gradient to `out: [C_out, C_in / groups, Kh, Kw]`, row-major, and the bias gradient to `bias:
    /// [C_out]`.
    pub fn run(&self, out: &mut [T], bias: &mut [T]) -> Result<()> {
        let [images, ..] = self.x.shape();
        let [inputs, outputs] = self.channels;
        let grid = self.windows.grid;
        let positions = images * grid[0] * grid[1];
        if positions == 0 || outputs == 0 {
            out.fill(T::default());
            bias.fill(T::default());
            return Ok(());
        }
        if self.groups > 1 && self.channels == [1, 1] {
            return super::depthwise::weight_grad(self, out, bias);
        }
        let size = self.groups * inputs * self.windows.taps.len() * outputs;
        let most = ROOM / size.max(1);
        let (mut sums, mut bias_sums) = (None, None);
        let mut room = |parts: usize| {
            let sums = sums.insert(self.cpu.pool().alloc::<T>(parts * size)?);
            let bias_sums = bias_sums.insert(self.cpu.pool().alloc::<T>(parts * self.groups * outputs)?);
            Ok([Shared::new(sums), Shared::new(bias_sums)])
        };
        let parts = if T::WINOGRAD
            && grid[1] <= winograd::WIDEST
            && let Some(transforms) = winograd::transforms(self.cpu, self.windows, images, self.channels)
            && let Some(parts) = winograd::weight_grad(self, transforms, most, &mut room)?
        {
            parts
        } else {
            self.direct(most, &mut room)?
        };
        self.add_up(sums.as_deref_mut().unwrap_or_default(), parts, out)?;
        bias.fill(T::default());
        for part in bias_sums.iter().flat_map(|sums| sums.chunks(self.groups * outputs)) {
            for (x, &y) in bias.iter_mut().zip(part) {
                *x += y;
            }
        }
        Ok(())
    }

    /// Sums at most `most` parts, each on its own, into the memory that `room(parts)` allocates, and returns the number
    /// of parts.
    fn direct(&self, most: usize, room: impl FnOnce(usize) -> Result<[Shared<T>; 2]>) -> Result<usize> {
        let [images, ..] = self.x.shape();
        let [inputs, outputs] = self.channels;
        let grid = self.windows.grid;
        let kernel = T::kernel(self.cpu.isa());
        let panels = Panels::new(&kernel, outputs);
        let units = Units::new(images, grid, POSITIONS, 1);
        let (runs, run) = self.windows.runs(inputs);
        let parts = most.clamp(1, TASKS).min(units.count());
        let [sums, bias] = room(parts)?;
        let cost = (images * grid[0] * grid[1]).saturating_mul(self.groups * runs.len() * run * outputs);
        let tasks = WeightGradTasks { grad: self, kernel, panels, units, parts, runs, run, sums, bias };
        let count = panels.count();
        let group = count.div_ceil(TASKS.div_ceil(parts * self.groups).min(count));
        let splits = count.div_ceil(group);
        run_tasks(self.cpu, parts * self.groups * splits, cost, |i| {
            let (rest, split) = (i / splits, i % splits);
            tasks.task(rest / self.groups, rest % self.groups, split * group..((split + 1) * group).min(count))
        })?;
        Ok(parts)
    }

    /// Adds the parts in order, and stores the sum in the weight's layout.
    fn add_up(&self, sums: &mut [T], parts: usize, out: &mut [T]) -> Result<()> {
        let [inputs, outputs] = self.channels;
        let taps = self.windows.taps.len();
        let row = inputs * taps;
        let size = self.groups * row * outputs;
        let (total, rest) = sums.split_at_mut(size.min(sums.len()));
        self.cpu.for_chunks(total, TASK, parts * size, |i, total| {
            for part in rest.chunks(size) {
                add(self.cpu.isa(), &part[i * TASK..], total);
            }
        });
        let blocks = outputs.div_ceil(BLOCK);
        let out = Shared::new(out);
        run_tasks(self.cpu, self.groups * blocks, size, |i| {
            let (group, first) = (i / blocks, i % blocks * BLOCK);
            let count = BLOCK.min(outputs - first);
            let start = (group * outputs + first) * row;
            // SAFETY: each task has its own output channels.
            let out = unsafe { out.slice(start..start + count * row) };
            for (tap, ci) in (0..taps).flat_map(|tap| (0..inputs).map(move |ci| (tap, ci))) {
                let from = &total[(group * row + tap * inputs + ci) * outputs + first..][..count];
                for (x, &total) in out[ci * taps + tap..].iter_mut().step_by(row).zip(from) {
                    *x = total;
                }
            }
            Ok(())
        })
    }
}

/// The sums that belong to a task: some columns of the rows of one part and group.
pub(super) struct Region {
    /// The first row.
    pub first: usize,
    pub depth: usize,
    /// The elements from one row to the next.
    pub pitch: usize,
    pub columns: Range<usize>,
}

impl Region {
    /// The index at which row `i` starts.
    pub fn row(&self, i: usize) -> usize {
        (self.first + i) * self.pitch + self.columns.start
    }
}

/// The f64 sums of a task: of all products but the last few, which are in its region, and of `g`.
struct LongSums<'a> {
    of: &'a Region,
    /// Empty as long as there are only few products.
    sums: Vec<f64>,
    bias: Vec<f64>,
}

impl<'a> LongSums<'a> {
    fn new(of: &'a Region) -> Self {
        Self { of, sums: Vec::new(), bias: vec![0.0; of.columns.len()] }
    }

    /// Adds the values in the region.
    fn take<T: Real>(&mut self, isa: crate::Isa, region: &Shared<T>) {
        let width = self.of.columns.len();
        self.sums.resize(self.of.depth * width, 0.0);
        for (i, sums) in self.sums.chunks_mut(width).enumerate() {
            let row = self.of.row(i);
            // SAFETY: the task's own.
            accumulate(isa, unsafe { region.slice(row..row + width) }, sums);
        }
    }

    /// Writes the sums to the region. `more` says whether the region holds products that were not added yet.
    fn finish<T: Real>(&mut self, isa: crate::Isa, region: &Shared<T>, more: bool) {
        if self.sums.is_empty() {
            return;
        }
        if more {
            self.take(isa, region);
        }
        let width = self.of.columns.len();
        for (i, sums) in self.sums.chunks(width).enumerate() {
            let row = self.of.row(i);
            // SAFETY: the task's own.
            round(isa, sums, unsafe { region.slice(row..row + width) });
        }
    }
}

impl<T: Real + Stored> WeightGradTasks<'_, T> {
    /// Computes the sums of column panels `panels` of one group over the units of one part.
    fn task(&self, part: usize, group: usize, panels: Range<usize>) -> Result<()> {
        let WeightGrad { cpu, x, windows, channels: [inputs, outputs], groups, .. } = *self.grad;
        let depth = self.runs.len() * self.run;
        let [images, rows] = self.units.largest();
        let [tall, wide] = windows.tile_size(rows);
        let pitch = tall * wide * inputs + 16;
        let across = windows.grid[1];
        let lines = images * rows * across.min(PIECE);
        let mut tile = cpu.pool().alloc::<T>(images * pitch)?;
        let mut room = cpu.pool().alloc::<T>(lines * 2 * self.kernel.lanes)?;
        let count = self.units.count();
        let units = part * count / self.parts..(part + 1) * count / self.parts;
        let columns = self.panels.range(panels.start).start..self.panels.range(panels.end - 1).end;
        let own = Region { first: (part * groups + group) * depth, depth, pitch: outputs, columns };
        let mut long = LongSums::new(&own);
        // Products that were added to the region since it was last added to the f64 sums.
        let mut added = 0;
        for index in units {
            let unit = self.units.get(index);
            windows.load(cpu.isa(), &x, group * inputs..(group + 1) * inputs, &unit, pitch, &mut tile);
            let tile_row = windows.tile_size(1)[1] * inputs;
            let segments: Vec<usize> = (0..unit.images.len())
                .flat_map(|n| (0..unit.rows.len()).map(move |i| n * pitch + i * windows.step[0] * tile_row))
                .collect();
            for piece in (0..across).step_by(PIECE).map(|start| start..across.min(start + PIECE)) {
                if added == PRODUCTS {
                    long.take(cpu.isa(), &self.sums);
                    added = 0;
                }
                self.multiply(
                    &tile,
                    &segments,
                    &unit,
                    piece,
                    added > 0,
                    group,
                    &own,
                    panels.clone(),
                    &mut room,
                    &mut long.bias,
                );
                added += 1;
            }
        }
        long.finish(cpu.isa(), &self.sums, added > 0);
        let start = (part * groups + group) * outputs;
        // SAFETY: each part, group and panel belongs to one task.
        let bias = unsafe { self.bias.slice(start + own.columns.start..start + own.columns.end) };
        round(cpu.isa(), &long.bias, bias);
        Ok(())
    }

    /// Adds the products of a piece of a unit's rows to the task's sums, or overwrites them unless `accumulate`.
    #[allow(clippy::too_many_arguments)]
    fn multiply(
        &self,
        tile: &[T],
        segments: &[usize],
        unit: &Unit,
        piece: Range<usize>,
        accumulate: bool,
        group: usize,
        own: &Region,
        panels: Range<usize>,
        room: &mut [T],
        bias: &mut [f64],
    ) {
        let WeightGrad { cpu, g, windows, channels: [inputs, outputs], .. } = *self.grad;
        let skipped = piece.start * windows.step[1] * inputs;
        for panel in panels {
            let columns = self.panels.range(panel);
            let b_step = self.panels.vectors(panel) * self.kernel.lanes;
            let channels = group * outputs + columns.start..group * outputs + columns.end;
            let used = segments.len() * piece.len();
            self.load_panel(&g, unit, channels, piece.clone(), b_step, &mut room[..used * b_step]);
            let place = columns.start - own.columns.start;
            add_rows(cpu.isa(), &room[..used * b_step], b_step, &mut bias[place..place + columns.len()]);
            let height = self.run.div_ceil(self.run.div_ceil(self.kernel.rows).max(1));
            for (r, &run) in self.runs.iter().enumerate() {
                for start in (0..self.run).step_by(height.max(1)) {
                    let c = own.row(r * self.run + start) + place;
                    let height = height.min(self.run - start);
                    let _ = self.sums.at(c + (height - 1) * outputs + columns.len()); // checks that it is inside
                    let tile = Tile {
                        a: tile[skipped + run + start..].as_ptr(),
                        a_row: 1,
                        a_step: windows.step[1] * inputs,
                        segments,
                        length: piece.len(),
                        b: room.as_ptr(),
                        b_step,
                        c: self.sums.at(c),
                        c_row: outputs,
                        columns: columns.len(),
                        accumulate,
                        soon: Soon::nothing(room.as_ptr()),
                    };
                    // SAFETY: the backend has the instruction set; a segment and a run lead to a place of a window
                    // of the unit, all of which the tile holds; `room` holds a whole panel for each position.
                    unsafe { (self.kernel.run)(&tile, height, b_step / self.kernel.lanes) };
                }
            }
        }
    }

    /// Copies `channels` of `g` at the positions `across` of the rows of `unit` to `out: [position, width]`.
    fn load_panel(
        &self,
        g: &Source<T>,
        unit: &Unit,
        channels: Range<usize>,
        across: Range<usize>,
        width: usize,
        out: &mut [T],
    ) {
        let size = unit.rows.len() * across.len() * channels.len();
        let rows = unit.rows.start as isize..unit.rows.end as isize;
        let columns = across.start as isize..across.end as isize;
        // Narrow panels are loaded without padding to the end of `out`, and then spread to `width` from the front.
        let start = out.len() - unit.images.len() * size;
        for (n, out) in unit.images.clone().zip(out[start..].chunks_mut(size)) {
            g.load(self.grad.cpu.isa(), n, channels.clone(), rows.clone(), columns.clone(), out);
        }
        if channels.len() < width {
            for line in 0..out.len() / width {
                let from = start + line * channels.len();
                out.copy_within(from..from + channels.len(), line * width);
                out[line * width + channels.len()..(line + 1) * width].fill(T::default());
            }
        }
    }
}
