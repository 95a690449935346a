//! Direct evaluation of the tiles that Winograd's error bound does not cover.

use super::{REACH, SIDE};
use crate::conv::gather::{Gather, GatherTasks};
use crate::conv::tile::{Unit, Windows};
use crate::gemm::Real;
use crate::memory::Block;
use crate::storage::Stored;
use std::ops::Range;
use std::sync::OnceLock;
use taper_backend::Result;

/// The windows of one tile of [`SIDE`] × [`SIDE`] positions.
pub(super) fn windows(of: &Windows) -> Windows {
    Windows { grid: [SIDE; 2], ..of.clone() }
}

/// The place of a tile: its image, and its first position.
#[derive(Debug, Clone, Copy)]
pub(super) struct TilePlace {
    pub image: usize,
    pub at: [usize; 2],
}

/// Direct evaluation, tile by tile. The results are bitwise those of direct evaluation of the whole batch.
pub(super) struct Aside<'a, T: Stored> {
    gather: &'a Gather<'a, T>,
    tasks: OnceLock<Result<GatherTasks<'a, T>>>,
}

impl<'a, T: Real + Stored> Aside<'a, T> {
    /// Takes a gather over the windows that [`windows`] returns.
    pub fn new(gather: &'a Gather<'a, T>) -> Self {
        Self { gather, tasks: OnceLock::new() }
    }

    /// Loads the elements that the windows of the tiles at `places` read. `widest` is the largest number of channels
    /// that are evaluated at a time.
    pub fn prepare(&self, group: usize, places: Vec<TilePlace>, widest: usize) -> Result<Tiles<'_, T>> {
        let Gather { cpu, source, windows, channels: [inputs, _], .. } = self.gather;
        // The weight is packed at the first use, on this thread alone: a thread that waited for others could start
        // another task, which would wait for this very initialisation.
        let tasks = self.tasks.get_or_init(|| GatherTasks::new(self.gather, false)).as_ref().map_err(Clone::clone)?;
        let size = REACH * REACH * inputs;
        let mut patches = cpu.pool().alloc::<T>(places.len() * size)?;
        for (place, patch) in places.iter().zip(patches.chunks_mut(size)) {
            let [y, x] = [place.at[0] as isize + windows.taps[0].y, place.at[1] as isize + windows.taps[0].x];
            let (y, x) = (y..y + REACH as isize, x..x + REACH as isize);
            source.load(cpu.isa(), place.image, group * inputs..(group + 1) * inputs, y, x, patch);
        }
        let room = tasks.room([1, SIDE, SIDE], widest)?;
        Ok(Tiles { tasks, places, patches, size, room })
    }
}

/// Loaded tiles.
pub(super) struct Tiles<'a, T: Stored> {
    tasks: &'a GatherTasks<'a, T>,
    places: Vec<TilePlace>,
    patches: Block<T>,
    /// The elements of a patch.
    size: usize,
    room: Block<T>,
}

impl<T: Real + Stored> Tiles<'_, T> {
    /// Evaluates column panels `panels` at the tiles' positions, and writes them to `c`, which holds the positions of
    /// `unit` in rows of `width`, `pitch` elements apart.
    pub fn evaluate(
        &mut self,
        unit: &Unit,
        width: usize,
        group: usize,
        panels: Range<usize>,
        c: *mut T,
        pitch: [usize; 3],
    ) {
        for (&TilePlace { image, at: [y, x] }, patch) in self.places.iter().zip(self.patches.chunks(self.size)) {
            let [n, i] = [image - unit.images.start, y - unit.rows.start];
            let to = c.wrapping_add(n * pitch[0] + i * pitch[1] + x * pitch[2]);
            let sizes = [1, (unit.rows.len() - i).min(SIDE), (width - x).min(SIDE)];
            self.tasks.sums(sizes, group, panels.clone(), patch, self.size, &mut self.room, to, pitch);
        }
    }
}
