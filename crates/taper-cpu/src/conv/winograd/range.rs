//! Which tiles Winograd's algorithm may take: those that its error bound covers.
//!
//! Let T be the largest |x| of a tile, all channels. In exact arithmetic no value on the way from T to an output is
//! larger than [`GROWTH`]·C_in·T·max|w|, and to first order an output of channel co is off by at most 3540·(C_in +
//! 40)·u·T·Σ_ci max|w[co, ci]| (u = 2⁻²⁴; the factor is ‖Bᵀ‖²·‖G‖²·‖Aᵀ‖², row sums of absolute values; C_in + 40
//! roundings). Direct evaluation's bound has in T's place the elements that the output's own window sees. So a tile is
//! evaluated directly where
//! - an element is infinite or not a number, or an intermediate value might overflow;
//! - T is so small that values on the way lose digits to underflow: under [`TINY`], or T·max|w| is;
//! - T is more than 2^[`SPREAD`] times the largest element of some window: that output would drown in its
//!   neighbours' error.
//!
//! A weight gradient sums over tiles: the bound is 12030·(tiles + 60)·u·T·max|g| for each tile, and the last rule, for
//! `x` alone, bounds what is lost beside the largest of the nine places of a kernel.

use super::transform::Seen;
use super::{REACH, SIDE, Transforms};

/// How much larger than the largest element of a window the tile's may be, as a power of two.
const SPREAD: u32 = 10;
/// Bits of a float's fraction.
const FRACTION: u32 = 23;
/// Below this a magnitude is so near to the least normal number that what is rounded away is not small beside it.
const TINY: f32 = f32::from_bits((127 - 90) << FRACTION);
/// By how much values may grow from inputs times weights to outputs: over ‖Bᵀ‖²·‖G‖²·‖Aᵀ‖² = 3534.
const GROWTH: f64 = 4096.0;
/// The same for the weight gradient: over ‖Bᵀ‖²·‖A‖²·‖Gᵀ‖² = 12029.
const GRADIENT_GROWTH: f64 = 16384.0;
/// By how much a transform alone may let values grow: over ‖Bᵀ‖² = 29.4 and ‖A‖² = 66.1.
const STEP: f32 = 128.0;

/// The magnitudes, as bits, that the largest of a tile may have.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cover {
    floor: u32,
    ceiling: u32,
}

/// How large a tile's elements are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// The largest magnitude, as bits; or, where that is covered anyhow, one of up to 2^[`SPREAD`] times it.
    pub largest: u32,
    /// Whether the largest element of each window is within 2^[`SPREAD`] of it.
    pub even: bool,
}

/// Whether an element of such a magnitude is 0 or in the range of a single transform.
fn is_moderate(bits: u32) -> bool {
    Cover::moderate().covers(Extent { largest: bits, even: true })
}

impl Cover {
    /// The inputs' for kernels whose largest magnitude is `kernels`; none where no input will do.
    pub fn of_inputs(kernels: u32, inputs: usize) -> Option<Self> {
        if !is_moderate(kernels) {
            return None;
        }
        let most = f32::MAX / STEP;
        let kernels = f32::from_bits(kernels);
        if kernels == 0.0 {
            return Some(Self::moderate());
        }
        let ceiling = (f64::from(f32::MAX) / (GROWTH * inputs as f64 * f64::from(kernels))) as f32;
        Some(Self { floor: (TINY / kernels).max(TINY).to_bits(), ceiling: ceiling.min(most).to_bits() })
    }

    /// The widest there is.
    pub fn moderate() -> Self {
        Self { floor: TINY.to_bits(), ceiling: (f32::MAX / STEP).to_bits() }
    }

    /// Whether Winograd's algorithm may take a tile.
    pub fn covers(&self, extent: Extent) -> bool {
        extent.even && (extent.largest == 0 || (self.floor..=self.ceiling).contains(&extent.largest))
    }
}

/// The least magnitude that is within 2^[`SPREAD`] of `largest`; both as bits.
#[inline(always)]
pub(super) fn within_spread(largest: u32) -> u32 {
    largest.saturating_sub(SPREAD << FRACTION)
}

/// What becomes of a tile in the weight gradient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Verdict {
    /// Winograd's algorithm takes it.
    Taken,
    /// Its products are to be added directly.
    Aside,
    /// The whole sum is to be taken directly, since it might overflow.
    Beyond,
}

/// The verdict on a tile of `x` and one of the output's gradient, of `tiles` altogether.
pub(super) fn verdict(x: Extent, g: Extent, tiles: usize) -> Verdict {
    let [a, b] = [x, g].map(|extent| f64::from(f32::from_bits(extent.largest)));
    let most = f64::from(f32::MAX);
    // Written so that a NaN is beyond; so is an infinity, even beside zeros.
    if !(a.max(b) <= most / f64::from(STEP) && a * b <= most / (GRADIENT_GROWTH * tiles as f64)) {
        return Verdict::Beyond;
    }
    let product = a * b;
    let covered = is_moderate(x.largest) && is_moderate(g.largest) && product >= f64::from(TINY) && x.even;
    if covered || product == 0.0 { Verdict::Taken } else { Verdict::Aside }
}

/// Measures the tiles of one image.
pub(super) struct Measure<'a, T> {
    transforms: &'a Transforms<T>,
    /// `[rows, wide, channels]`.
    image: &'a [T],
    wide: usize,
    channels: usize,
    /// Blocks of 4 × 4 places across; the last are only of two columns.
    across: usize,
    /// What was seen of each block, row by row, and of the tile that starts there.
    blocks: Vec<Seen>,
}

impl<'a, T> Measure<'a, T> {
    pub fn new(transforms: &'a Transforms<T>, image: &'a [T], wide: usize, channels: usize) -> Self {
        let across = wide.div_ceil(SIDE);
        let blocks = vec![Seen::default(); (image.len() / (wide * channels)).div_ceil(SIDE) * across];
        Self { transforms, image, wide, channels, across, blocks }
    }

    /// Places of a tile of which each window of the first `size` outputs holds one.
    pub fn keys(&self, size: [usize; 2]) -> [usize; 4] {
        keys(size, [self.wide * self.channels, self.channels])
    }

    /// Puts down what was seen of tile `(i, j)`.
    pub fn put(&mut self, [i, j]: [usize; 2], seen: Seen) {
        self.blocks[i * self.across + j] = seen;
    }

    /// Looks at the blocks that no tile starts with, once all others were put down.
    pub fn complete(&mut self) {
        let down = self.blocks.len() / self.across;
        let last = |i: usize, j: usize| i + 1 == down || j + 1 == self.across;
        for (i, j) in (0..down).flat_map(|i| (0..self.across).map(move |j| (i, j))).filter(|&(i, j)| last(i, j)) {
            self.blocks[i * self.across + j].largest = self.largest([i * SIDE, j * SIDE], [SIDE; 2]);
        }
    }

    /// The largest magnitude, as bits, among `rows` × `columns` places from `at` on, or as many of them as there are.
    pub fn largest(&self, at: [usize; 2], [rows, columns]: [usize; 2]) -> u32 {
        let (line, start) = (self.wide * self.channels, (at[0] * self.wide + at[1]) * self.channels);
        let rows = rows.min(self.image.len() / line - at[0]);
        let count = columns.min(self.wide - at[1]) * self.channels;
        let places = &self.image[start..start + (rows - 1) * line + count];
        // SAFETY: the backend has the instruction set; `places` holds these rows.
        unsafe { (self.transforms.largest)(places.as_ptr(), line, rows, count) }
    }

    /// The extent of tile `(i, j)`, of which the first `size` outputs count. One that `cover` does not seem to cover is
    /// looked at more closely.
    pub fn extent(&self, [i, j]: [usize; 2], size: [usize; 2], cover: Cover) -> Extent {
        // Four blocks are more than a tile, and their maximum a bound of its own.
        let first = i * self.across + j;
        let of = |k: usize| self.blocks[k].largest.max(self.blocks[k + 1].largest);
        let most = of(first).max(of(first + self.across));
        let least = within_spread(most);
        if most == 0 || self.blocks[first].common >= least && least >= cover.floor && most <= cover.ceiling {
            return Extent { largest: most, even: true };
        }
        let at = [i * SIDE, j * SIDE];
        let largest = self.largest(at, [REACH; 2]);
        let [rows, columns] = size.map(|size| size.min(SIDE));
        let even = (0..rows).flat_map(|i| (0..columns).map(move |j| (i, j))).all(|(i, j)| {
            let window = [at[0] + i, at[1] + j];
            self.largest(window, [3; 2]) >= within_spread(largest)
        });
        Extent { largest, even }
    }
}

/// Places of a tile, `step` apart, of which each window of the first `size` outputs holds one: for the padding of one
/// that is usual, each is the middle of a window, and so inside the image.
fn keys(size: [usize; 2], step: [usize; 2]) -> [usize; 4] {
    let [rows, columns] = size.map(|size| match size {
        0..=2 => [1, 1],
        3 => [2, 2],
        _ => [2, 3],
    });
    std::array::from_fn(|i| rows[i / 2] * step[0] + columns[i % 2] * step[1])
}
