//! The places that a convolution's windows read, and the division of a batch into units of work.

use super::source::Source;
use crate::Isa;
use crate::gemm::Real;
use crate::storage::Stored;
use std::ops::Range;
use taper_backend::Conv2dSpec;

/// One place of a window: its offset from the place where the window starts, and the place of its weight in the kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tap {
    pub y: isize,
    pub x: isize,
    /// The index of the kernel's place, in `0..Kh · Kw`.
    pub place: usize,
}

/// Windows over an image: window `(i, j)` of `grid` starts at `(i · step[0], j · step[1])` and reads `taps` from there.
#[derive(Debug, Clone)]
pub(crate) struct Windows {
    pub grid: [usize; 2],
    pub step: [usize; 2],
    /// The taps in order of y, then x.
    pub taps: Vec<Tap>,
}

impl Windows {
    /// The windows of a convolution's output of `grid` positions.
    pub fn forward(spec: &Conv2dSpec, kernel: [usize; 2], grid: [usize; 2]) -> Self {
        let at = |i: usize, p: usize| (p * spec.dilation[i]) as isize - spec.padding[i] as isize;
        let taps = (0..kernel[0] * kernel[1])
            .map(|place| Tap { y: at(0, place / kernel[1]), x: at(1, place % kernel[1]), place })
            .collect();
        Self { grid, step: spec.stride, taps }
    }

    /// The windows over the output's gradient whose sums are the input's gradient at the positions `class + i ·
    /// stride`. With a stride above 1 each such class of positions uses only some places of the kernel.
    pub fn backward(spec: &Conv2dSpec, kernel: [usize; 2], input: [usize; 2], class: [usize; 2]) -> Self {
        let at = |i: usize, p: usize| {
            let numerator = (class[i] + spec.padding[i]) as isize - (p * spec.dilation[i]) as isize;
            let stride = spec.stride[i] as isize;
            (numerator % stride == 0).then_some(numerator / stride)
        };
        let mut taps: Vec<Tap> = (0..kernel[0] * kernel[1])
            .filter_map(|place| Some(Tap { y: at(0, place / kernel[1])?, x: at(1, place % kernel[1])?, place }))
            .collect();
        taps.sort_by_key(|tap| (tap.y, tap.x));
        let grid = [0, 1].map(|i| input[i].saturating_sub(class[i]).div_ceil(spec.stride[i]));
        Self { grid, step: [1, 1], taps }
    }

    fn reach(&self, of: impl Fn(&Tap) -> isize) -> Range<isize> {
        let low = self.taps.iter().map(&of).min().unwrap_or(0);
        low..self.taps.iter().map(&of).max().unwrap_or(0) + 1
    }

    /// The height and width of the tile that `rows` rows of windows read.
    pub fn tile_size(&self, rows: usize) -> [usize; 2] {
        let (y, x) = (self.reach(|tap| tap.y), self.reach(|tap| tap.x));
        [(rows - 1) * self.step[0] + y.len(), (self.grid[1] - 1) * self.step[1] + x.len()]
    }

    /// The offset of each tap in a tile of `channels`, relative to the window's start, in elements.
    pub fn offsets(&self, channels: usize) -> Vec<usize> {
        let (top, left) = (self.reach(|tap| tap.y).start, self.reach(|tap| tap.x).start);
        let width = self.tile_size(1)[1];
        let at = |tap: &Tap| ((tap.y - top) as usize * width + (tap.x - left) as usize) * channels;
        self.taps.iter().map(at).collect()
    }

    /// The contiguous runs of a patch in a tile of `channels`: the offset of each from the window's start, and their
    /// common length, in elements.
    pub fn runs(&self, channels: usize) -> (Vec<usize>, usize) {
        // Adjacent taps of a row form one run, if all rows have the same taps.
        let row = self.taps.iter().take_while(|tap| tap.y == self.taps[0].y).count();
        let whole = |row: usize| {
            self.taps.chunks(row).all(|taps| {
                taps.len() == row && taps.windows(2).all(|pair| pair[1].y == pair[0].y && pair[1].x == pair[0].x + 1)
            })
        };
        let run = if row > 0 && whole(row) { row } else { 1 };
        (self.offsets(channels).into_iter().step_by(run).collect(), run * channels)
    }

    /// Copies the places that the windows of a unit read to `out`; images start `pitch` elements apart.
    pub fn load<T: Real + Stored>(
        &self,
        isa: Isa,
        source: &Source<T>,
        channels: Range<usize>,
        unit: &Unit,
        pitch: usize,
        out: &mut [T],
    ) {
        let [height, width] = self.tile_size(unit.rows.len());
        let top = (unit.rows.start * self.step[0]) as isize + self.reach(|tap| tap.y).start;
        let left = self.reach(|tap| tap.x).start;
        let size = height * width * channels.len();
        for (n, out) in unit.images.clone().zip(out.chunks_mut(pitch)) {
            let out = &mut out[..size];
            source.load(isa, n, channels.clone(), top..top + height as isize, left..left + width as isize, out);
        }
    }
}

/// A part of a batch's positions: some rows of one image, or all rows of some images.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    pub images: Range<usize>,
    pub rows: Range<usize>,
}

/// The division of a batch of `images` images with `grid` positions each into units.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Units {
    images: usize,
    rows: usize,
    /// The images of a unit.
    several: usize,
    /// The rows of a unit.
    band: usize,
}

impl Units {
    /// Divides into units of about `positions` positions, whose number of rows is a multiple of `align`.
    pub fn new(images: usize, grid: [usize; 2], positions: usize, align: usize) -> Self {
        let band = (positions / grid[1].max(1)).next_multiple_of(align).max(align);
        if band < grid[0] {
            // Bands of rows of about the same height.
            let count = grid[0].div_ceil(band);
            let band = grid[0].div_ceil(count).next_multiple_of(align);
            return Self { images, rows: grid[0], several: 1, band };
        }
        let several = (positions / (grid[0] * grid[1]).max(1)).clamp(1, images.max(1));
        Self { images, rows: grid[0], several, band: grid[0].max(1) }
    }

    fn bands(&self) -> usize {
        self.rows.div_ceil(self.band)
    }

    /// The number of units.
    pub fn count(&self) -> usize {
        self.images.div_ceil(self.several) * self.bands()
    }

    /// Unit `i`.
    pub fn get(&self, i: usize) -> Unit {
        let (group, band) = (i / self.bands(), i % self.bands());
        Unit {
            images: group * self.several..((group + 1) * self.several).min(self.images),
            rows: band * self.band..((band + 1) * self.band).min(self.rows),
        }
    }

    /// The largest number of images and of rows of a unit.
    pub fn largest(&self) -> [usize; 2] {
        [self.several, self.band]
    }
}
