//! The range of magnitudes for which Winograd's error bound holds. Tiles outside it are evaluated directly.
//!
//! Let T be the largest |x| of a tile over all channels. In exact arithmetic no intermediate value is larger than
//! [`GROWTH`]·C_in·T·max|w|, and to first order the error of an output of channel co is at most 3540·(C_in +
//! 40)·u·T·Σ_ci max|w[co, ci]| (u = 2⁻²⁴; the factor is ‖Bᵀ‖²·‖G‖²·‖Aᵀ‖², row sums of absolute values; C_in + 40
//! roundings). The bound of direct evaluation has, instead of T, the elements of the output's own window. So a tile is
//! evaluated directly where
//! - an element is infinite or not a number, or an intermediate value might overflow;
//! - T or T·max|w| is below [`TINY`], so small that intermediate values lose digits to underflow;
//! - T is more than 2^[`SPREAD`] times the largest element of some window: that output would
//!   be lost in the error of its neighbours.
//!
//! A weight gradient sums over tiles: the bound is 12030·(tiles + 60)·u·T·max|g| for each tile. The last rule, for `x`
//! alone, bounds the error relative to the largest of the nine places of a kernel.

use super::transform::Magnitudes;
use super::{REACH, SIDE, Transforms};

/// The largest ratio of a tile's largest element to that of a window, as a power of two.
const SPREAD: u32 = 10;
/// The number of bits of an f32's fraction.
const FRACTION: u32 = 23;
/// Magnitudes below this are so near to the smallest normal number that rounding errors are not small relative to them.
const TINY: f32 = f32::from_bits((127 - 90) << FRACTION);
/// A bound on the growth from inputs times weights to outputs; above ‖Bᵀ‖²·‖G‖²·‖Aᵀ‖² = 3534.
const GROWTH: f64 = 4096.0;
/// The same bound for the weight gradient; above ‖Bᵀ‖²·‖A‖²·‖Gᵀ‖² = 12029.
const GRADIENT_GROWTH: f64 = 16384.0;
/// A bound on the growth by a single transform; above ‖Bᵀ‖² = 29.4 and ‖A‖² = 66.1.
const STEP: f32 = 128.0;

/// The range, as bits, that the largest magnitude of a tile may have.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cover {
    floor: u32,
    ceiling: u32,
}

/// The magnitudes of a tile's elements.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// The largest magnitude, as bits. If the tile is covered in any case, it may be an upper bound, up to 2^[`SPREAD`]
    /// times as large.
    pub largest: u32,
    /// Whether the largest element of each window is within a factor of 2^[`SPREAD`] of `largest`.
    pub even: bool,
}

/// Whether a magnitude, as bits, is 0 or in the range that a single transform may take.
fn is_moderate(bits: u32) -> bool {
    Cover::moderate().covers(Extent { largest: bits, even: true })
}

impl Cover {
    /// The range of the inputs for kernels whose largest magnitude, as bits, is `kernels`; `None` if no input is in
    /// range.
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

    /// The widest range.
    pub fn moderate() -> Self {
        Self { floor: TINY.to_bits(), ceiling: (f32::MAX / STEP).to_bits() }
    }

    /// Whether Winograd's algorithm may evaluate a tile of these magnitudes.
    pub fn covers(&self, extent: Extent) -> bool {
        extent.even && (extent.largest == 0 || (self.floor..=self.ceiling).contains(&extent.largest))
    }
}

/// The smallest magnitude that is within a factor of 2^[`SPREAD`] of `largest`; both as bits.
#[inline(always)]
pub(super) fn within_spread(largest: u32) -> u32 {
    largest.saturating_sub(SPREAD << FRACTION)
}

/// How a tile's contribution to the weight gradient is evaluated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Verdict {
    /// By Winograd's algorithm.
    Taken,
    /// Directly, added to the sums.
    Aside,
    /// The whole gradient has to be evaluated directly, since a sum might overflow.
    Beyond,
}

/// The verdict on a tile of `x` and the same tile of the output's gradient; `tiles` is the number of tiles in the sum.
pub(super) fn verdict(x: Extent, g: Extent, tiles: usize) -> Verdict {
    let [a, b] = [x, g].map(|extent| f64::from(f32::from_bits(extent.largest)));
    let most = f64::from(f32::MAX);
    // The comparison is false for a NaN, which so is `Beyond`, as is an infinity, even if the other operand is 0.
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
    /// The number of blocks of 4 × 4 places per row; the last has only two columns.
    across: usize,
    /// The magnitudes measured for each block, row by row, and for the tile that starts there.
    blocks: Vec<Magnitudes>,
}

impl<'a, T> Measure<'a, T> {
    pub fn new(transforms: &'a Transforms<T>, image: &'a [T], wide: usize, channels: usize) -> Self {
        let across = wide.div_ceil(SIDE);
        let blocks = vec![Magnitudes::default(); (image.len() / (wide * channels)).div_ceil(SIDE) * across];
        Self { transforms, image, wide, channels, across, blocks }
    }

    /// Places of a tile such that each window of the first `size` outputs contains one.
    pub fn keys(&self, size: [usize; 2]) -> [usize; 4] {
        keys(size, [self.wide * self.channels, self.channels])
    }

    /// Records the magnitudes of tile `(i, j)`.
    pub fn put(&mut self, [i, j]: [usize; 2], seen: Magnitudes) {
        self.blocks[i * self.across + j] = seen;
    }

    /// Measures the blocks at which no tile starts, after all others were recorded.
    pub fn complete(&mut self) {
        let down = self.blocks.len() / self.across;
        let last = |i: usize, j: usize| i + 1 == down || j + 1 == self.across;
        for (i, j) in (0..down).flat_map(|i| (0..self.across).map(move |j| (i, j))).filter(|&(i, j)| last(i, j)) {
            self.blocks[i * self.across + j].largest = self.largest([i * SIDE, j * SIDE], [SIDE; 2]);
        }
    }

    /// The largest magnitude, as bits, of the `rows` × `columns` places from `at` on that lie in the image.
    pub fn largest(&self, at: [usize; 2], [rows, columns]: [usize; 2]) -> u32 {
        let (line, start) = (self.wide * self.channels, (at[0] * self.wide + at[1]) * self.channels);
        let rows = rows.min(self.image.len() / line - at[0]);
        let count = columns.min(self.wide - at[1]) * self.channels;
        let places = &self.image[start..start + (rows - 1) * line + count];
        // SAFETY: the backend has the instruction set; `places` holds these rows.
        unsafe { (self.transforms.largest)(places.as_ptr(), line, rows, count) }
    }

    /// The extent of tile `(i, j)`, of which the first `size` outputs count. If the quick bound is not in `cover`, the
    /// tile is measured exactly.
    pub fn extent(&self, [i, j]: [usize; 2], size: [usize; 2], cover: Cover) -> Extent {
        // Four blocks contain the tile, so their maximum is an upper bound of the tile's.
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

/// Places of a tile, `step` apart, such that each window of the first `size` outputs contains one. With the usual
/// padding of 1, each is the middle of a window and so lies inside the image.
fn keys(size: [usize; 2], step: [usize; 2]) -> [usize; 4] {
    let [rows, columns] = size.map(|size| match size {
        0..=2 => [1, 1],
        3 => [2, 2],
        _ => [2, 3],
    });
    std::array::from_fn(|i| rows[i / 2] * step[0] + columns[i % 2] * step[1])
}
