//! `y[n, co, i, j] = Σ_taps Σ_ci x[n, ci, i·s + tap.y, j·s + tap.x] · weight[co, ci, tap]`, with its epilogue in the
//! cache.
//!
//! This gather is the forward convolution. With the output's gradient as `x` and the weight with its channels swapped
//! and its kernel rotated, it is the input gradient.

use super::finish::{Pooled, finish_positions};
use super::source::Source;
use super::tile::{Tap, Unit, Units, Windows};
use super::winograd;
use crate::CpuBackend;
use crate::gemm::{Epilogue, Kernel, Panels, Real, Shared, Soon, Tile, run_tasks};
use crate::long_sum::{PRODUCTS, accumulate};
use crate::memory::Block;
use crate::storage::Stored;
use std::ops::Range;
use taper_backend::Result;

/// The approximate largest number of output positions of a unit.
const POSITIONS: usize = 256;
/// The least number of tasks, where the size allows.
const TASKS: usize = 16;

/// A read-only view of a convolution's weight. Its elements are `(co, ci, place)`, with channels counted inside their
/// group.
#[derive(Clone, Copy)]
pub(crate) struct Weight<'a, T> {
    pub data: &'a [T],
    pub offset: usize,
    /// The strides of the output channel and the input channel, in elements.
    pub strides: [usize; 2],
    /// The elements from one group to the next.
    pub group: usize,
    /// The strides of the kernel's rows and columns, in elements.
    pub place: [usize; 2],
    /// The kernel's width.
    pub width: usize,
}

impl<T: Real> Weight<'_, T> {
    /// The index of the element of the group's first output channel.
    pub fn at(&self, group: usize, ci: usize, tap: &Tap) -> usize {
        let place = tap.place / self.width * self.place[0] + tap.place % self.width * self.place[1];
        self.offset + group * self.group + ci * self.strides[1] + place
    }
}

/// The destination of the results, and their epilogue.
pub(crate) enum Target<'a, T> {
    /// Position `(n, i, j)`, channel `c` is stored at `offset + n·pitch[0] + i·pitch[1] + j·pitch[2] + c`, after
    /// `finish`.
    Positions { out: &'a Shared<T>, offset: usize, pitch: [usize; 3], finish: Epilogue<'a, T> },
    /// Only the results of max pooling are stored; `relu` says whether ReLU comes before it.
    Pooled { pooled: &'a Pooled<'a, T>, relu: bool },
}

impl<T: Real + Stored> Target<'_, T> {
    /// The rows of positions that a unit's must be a multiple of: a multiple of `side`, and of the pooling window's
    /// height.
    pub(super) fn rows_together(&self, side: usize) -> usize {
        match self {
            Self::Positions { .. } => side,
            // The least common multiple.
            Self::Pooled { pooled, .. } => {
                (1..=side).map(|i| i * pooled.window[0]).find(|rows| rows % side == 0).unwrap_or(side)
            }
        }
    }

    /// Calls `compute(c, pitch)`, which writes `channels` of a unit's positions, `width` per row, to `c`, where
    /// positions are `pitch` elements apart (images, rows, columns). Then applies the epilogue.
    pub(super) fn fill(
        &self,
        cpu: &CpuBackend,
        unit: &Unit,
        width: usize,
        channels: Range<usize>,
        compute: impl FnOnce(*mut T, [usize; 3]),
    ) -> Result<()> {
        let count = channels.len();
        match self {
            Self::Positions { out, offset, pitch, finish } => {
                let first = offset + unit.images.start * pitch[0] + unit.rows.start * pitch[1] + channels.start;
                let last = first
                    + (unit.images.len() - 1) * pitch[0]
                    + (unit.rows.len() - 1) * pitch[1]
                    + (width - 1) * pitch[2]
                    + count;
                let _ = out.at(last); // checks that all of it is inside
                compute(out.at(first), *pitch);
                if !finish.is_nothing() {
                    for n in 0..unit.images.len() {
                        for i in 0..unit.rows.len() {
                            let start = first + n * pitch[0] + i * pitch[1];
                            // SAFETY: the caller's own positions and channels.
                            unsafe { finish_positions(out, start, width, pitch[2], channels.clone(), *finish) };
                        }
                    }
                }
            }
            Self::Pooled { pooled, relu } => {
                let row = width * count;
                let image = unit.rows.len() * row;
                let mut block = cpu.pool().alloc::<T>(unit.images.len() * image)?;
                compute(block.as_mut_ptr(), [image, row, count]);
                pooled.store(cpu.isa(), unit, width, channels, *relu, &block);
            }
        }
        Ok(())
    }
}

/// The operands of one gather.
pub(crate) struct Gather<'a, T> {
    pub cpu: &'a CpuBackend,
    pub source: Source<'a, T>,
    pub weight: Weight<'a, T>,
    pub windows: &'a Windows,
    pub groups: usize,
    /// The number of input and output channels of a group.
    pub channels: [usize; 2],
}

/// A part of a patch that is multiplied at once: segments of the tile, all of the same length.
struct Chunk {
    start: usize,
    segments: Vec<usize>,
    length: usize,
}

impl Chunk {
    fn depth(&self) -> usize {
        self.segments.len() * self.length
    }
}

/// Splits runs of `length` elements each into chunks of at most `longest` elements.
fn chunks(runs: &[usize], length: usize, longest: usize) -> Vec<Chunk> {
    let mut start = 0;
    let mut result = Vec::new();
    let mut push = |segments: Vec<usize>, length: usize| {
        let chunk = Chunk { start, segments, length };
        start += chunk.depth();
        result.push(chunk);
    };
    if length <= longest {
        let count = runs.len().div_ceil(longest / length.max(1));
        for runs in runs.chunks(runs.len().div_ceil(count.max(1)).max(1)) {
            push(runs.to_vec(), length);
        }
    } else {
        let part = length.div_ceil(length.div_ceil(longest));
        for run in runs {
            for start in (0..length).step_by(part) {
                push(vec![run + start], part.min(length - start));
            }
        }
    }
    result
}

/// The division of a gather into tasks, and what the tasks share.
pub(super) struct GatherTasks<'a, T: Stored> {
    gather: &'a Gather<'a, T>,
    kernel: Kernel<T>,
    panels: Panels,
    chunks: Vec<Chunk>,
    depth: usize,
    /// The packed weight: group by group, chunk by chunk, panel by panel.
    packed: Block<T>,
}

impl<T: Real + Stored> Gather<'_, T> {
    /// Computes the convolution into `target`.
    pub fn run(&self, target: &Target<T>) -> Result<()> {
        let [images, ..] = self.source.shape();
        let grid = self.windows.grid;
        let positions = images * grid[0] * grid[1];
        if positions * self.groups * self.channels[1] == 0 {
            return Ok(());
        }
        if self.groups > 1 && self.channels == [1, 1] {
            return super::depthwise::gather(self, target);
        }
        if T::WINOGRAD
            && let Some(transforms) = winograd::transforms(self.cpu, self.windows, images, self.channels)
            && winograd::gather(self, transforms, target)?
        {
            return Ok(());
        }
        let tasks = GatherTasks::new(self, true)?;
        let units = Units::new(images, grid, (positions / TASKS).clamp(64, POSITIONS), target.rows_together(1));
        // With few positions, split the output channels over tasks too.
        let panels = tasks.panels.count();
        let group = panels.div_ceil(TASKS.div_ceil(units.count() * self.groups).min(panels));
        let splits = panels.div_ceil(group);
        let cost = positions.saturating_mul(tasks.depth).saturating_mul(self.groups * self.channels[1]);
        run_tasks(self.cpu, units.count() * self.groups * splits, cost.max(positions), |i| {
            let (rest, split) = (i / splits, i % splits);
            let (unit, of) = (units.get(rest / self.groups), rest % self.groups);
            tasks.task(&unit, of, split * group..((split + 1) * group).min(panels), target)
        })
    }
}

impl<'a, T: Real + Stored> GatherTasks<'a, T> {
    /// Packs the weight, on all threads if `in_parallel`, else on this one.
    pub fn new(gather: &'a Gather<'a, T>, in_parallel: bool) -> Result<Self> {
        let [inputs, outputs] = gather.channels;
        let kernel = T::kernel(gather.cpu.isa());
        let panels = Panels::new(&kernel, outputs);
        let (runs, length) = gather.windows.runs(inputs);
        let chunks = chunks(&runs, length, Kernel::<T>::LONGEST);
        let depth = runs.len() * length;
        let packed = gather.cpu.pool().alloc(gather.groups * depth * panels.padded())?;
        let mut tasks = Self { gather, kernel, panels, chunks, depth, packed };
        tasks.pack(in_parallel)?;
        Ok(tasks)
    }

    /// Packs the weight as panels `[depth][column]`, where depth is in the order of a patch's elements in a tile.
    fn pack(&mut self, in_parallel: bool) -> Result<()> {
        let Self { gather, panels, chunks, depth, kernel, packed } = self;
        let Gather { weight, windows, channels: [inputs, _], .. } = gather;
        let shared = Shared::new(packed);
        let count = panels.count();
        let cost = if in_parallel { gather.groups * *depth * panels.padded() } else { 0 };
        run_tasks(gather.cpu, gather.groups * count, cost, |i| {
            let (group, panel) = (i / count, i % count);
            let (columns, width) = (panels.range(panel), panels.vectors(panel) * kernel.lanes);
            for chunk in chunks.iter() {
                let start = (group * *depth + chunk.start) * panels.padded() + columns.start * chunk.depth();
                // SAFETY: each task has its own panels.
                let out = unsafe { shared.slice(start..start + chunk.depth() * width) };
                for (k, out) in (chunk.start..).zip(out.chunks_mut(width)) {
                    let first = weight.at(group, k % inputs, &windows.taps[k / inputs]);
                    let source = weight.data[first + columns.start * weight.strides[0]..].iter();
                    for (out, &w) in out.iter_mut().zip(source.step_by(weight.strides[0].max(1))).take(columns.len()) {
                        *out = w;
                    }
                    out[columns.len()..].fill(T::default());
                }
            }
            Ok(())
        })
    }

    /// Computes the column panels `panels` of one group at the positions of one unit.
    fn task(&self, unit: &Unit, group: usize, panels: Range<usize>, target: &Target<T>) -> Result<()> {
        let Gather { cpu, source, windows, channels: [inputs, outputs], .. } = self.gather;
        let width = windows.grid[1];
        let [tall, wide] = windows.tile_size(unit.rows.len());
        // One cache line more than needed, so that the images do not compete for the same sets of the cache.
        let tile_pitch = (tall * wide * inputs).next_multiple_of(16) + 16;
        let mut tile = cpu.pool().alloc::<T>(unit.images.len() * tile_pitch)?;
        windows.load(cpu.isa(), source, group * inputs..(group + 1) * inputs, unit, tile_pitch, &mut tile);
        let columns = self.panels.range(panels.start).start..self.panels.range(panels.end - 1).end;
        let channels = group * outputs + columns.start..group * outputs + columns.end;
        let sizes = [unit.images.len(), unit.rows.len(), width];
        let mut room = self.room(sizes, channels.len())?;
        target.fill(cpu, unit, width, channels, |c, pitch| {
            self.sums(sizes, group, panels, &tile, tile_pitch, &mut room, c, pitch);
        })
    }

    /// The scratch memory that [`GatherTasks::sums`] needs for `count` channels at `sizes` positions.
    pub fn room(&self, sizes: [usize; 3], count: usize) -> Result<Block<T>> {
        let few = self.chunks.len() <= PRODUCTS;
        self.gather.cpu.pool().alloc(if few { 0 } else { sizes.iter().product::<usize>() * count })
    }

    /// Multiplies the patches of `tile` at `sizes` positions (images, rows, columns) by column panels `panels` of the
    /// weight, into `c`, where positions are `pitch` elements apart.
    #[allow(clippy::too_many_arguments)]
    pub fn sums(
        &self,
        sizes: [usize; 3],
        group: usize,
        panels: Range<usize>,
        tile: &[T],
        tile_pitch: usize,
        room: &mut [T],
        c: *mut T,
        pitch: [usize; 3],
    ) {
        if self.chunks.len() <= PRODUCTS {
            return self.compute(sizes, group, panels, &self.chunks, tile, tile_pitch, c, pitch);
        }
        let isa = self.gather.cpu.isa();
        let [_, rows, width] = sizes;
        let count = self.panels.range(panels.end - 1).end - self.panels.range(panels.start).start;
        let dense = [rows * width * count, width * count, count];
        let some = &mut room[..sizes[0] * dense[0]];
        let mut long = vec![0.0; some.len()];
        for chunks in self.chunks.chunks(PRODUCTS) {
            self.compute(sizes, group, panels.clone(), chunks, tile, tile_pitch, some.as_mut_ptr(), dense);
            accumulate(isa, some, &mut long);
        }
        for (position, sums) in long.chunks(count).enumerate() {
            let [n, rest] = [position / (rows * width), position % (rows * width)];
            let c = c.wrapping_add(n * pitch[0] + rest / width * pitch[1] + rest % width * pitch[2]);
            for (i, &sum) in sums.iter().enumerate() {
                // SAFETY: the caller's `c` has a place for every position and every channel.
                unsafe { *c.add(i) = T::of(sum) };
            }
        }
    }

    /// [`GatherTasks::sums`] over only the given `chunks` of the patches.
    #[allow(clippy::too_many_arguments)]
    fn compute(
        &self,
        sizes: [usize; 3],
        group: usize,
        panels: Range<usize>,
        chunks: &[Chunk],
        tile: &[T],
        tile_pitch: usize,
        c: *mut T,
        pitch: [usize; 3],
    ) {
        let Gather { windows, channels: [inputs, _], .. } = self.gather;
        let tile_row = windows.tile_size(1)[1] * inputs;
        let steps = [tile_pitch, windows.step[0] * tile_row, windows.step[1] * inputs];
        // The rows of a register tile are positions of one image row, or for narrow images the same position of several
        // images.
        let (outer, inner) = if sizes[2] < 7 && sizes[0] > sizes[2] { ([1, 2], 0) } else { ([0, 1], 2) };
        let height = sizes[inner].div_ceil(sizes[inner].div_ceil(self.kernel.rows));
        let first_column = self.panels.range(panels.start).start;
        let first = chunks.first().map_or(0, |chunk| chunk.start);
        for chunk in chunks {
            for panel in panels.clone() {
                let (columns, vectors) = (self.panels.range(panel), self.panels.vectors(panel));
                let b_step = vectors * self.kernel.lanes;
                let start = (group * self.depth + chunk.start) * self.panels.padded() + columns.start * chunk.depth();
                let b = &self.packed[start..start + chunk.depth() * b_step];
                for p in 0..sizes[outer[0]] {
                    for q in 0..sizes[outer[1]] {
                        let a = p * steps[outer[0]] + q * steps[outer[1]];
                        let to = p * pitch[outer[0]] + q * pitch[outer[1]];
                        for start in (0..sizes[inner]).step_by(height) {
                            let rows = height.min(sizes[inner] - start);
                            let a = &tile[a + start * steps[inner]..];
                            debug_assert!(
                                (rows - 1) * steps[inner] + chunk.segments.iter().max().unwrap_or(&0) + chunk.length
                                    <= a.len()
                            );
                            let tile = Tile {
                                a: a.as_ptr(),
                                a_row: steps[inner],
                                a_step: 1,
                                segments: &chunk.segments,
                                length: chunk.length,
                                b: b.as_ptr(),
                                b_step,
                                c: c.wrapping_add(to + start * pitch[inner] + columns.start - first_column),
                                c_row: pitch[inner],
                                columns: columns.len(),
                                accumulate: chunk.start > first,
                                soon: Soon::nothing(b.as_ptr()),
                            };
                            // SAFETY: the backend has the instruction set; the tile holds every patch of the unit's
                            // windows, whose runs the segments are; `b` is a whole panel; the caller's `c` has a place
                            // for every position of the unit.
                            unsafe { (self.kernel.run)(&tile, rows, vectors) };
                        }
                    }
                }
            }
        }
        if self.depth == 0 {
            let width = self.panels.range(panels.end - 1).end - first_column;
            for n in 0..sizes[0] {
                for i in 0..sizes[1] {
                    for j in 0..sizes[2] {
                        let c = c.wrapping_add(n * pitch[0] + i * pitch[1] + j * pitch[2]);
                        // SAFETY: `width` channels of a position, all of whose bits zero are 0.0.
                        unsafe { c.write_bytes(0, width) };
                    }
                }
            }
        }
    }
}
