//! Epilogues of convolutions: bias, ReLU and max pooling on results that are still in the cache.

use super::tile::Unit;
use crate::gemm::{Epilogue, Real, Shared};
use crate::{Isa, isa::multiversion};
use std::ops::Range;

/// The value of `which` where ReLU gave 0. It is no place of a window, so that no gradient passes.
pub(crate) const NOWHERE: u8 = u8::MAX;

/// The result of max pooling over windows that do not overlap: the largest value of each window, and its place in the
/// window. Both are dense and channels-last.
pub(crate) struct Pooled<'a, T> {
    pub out: &'a Shared<T>,
    pub which: &'a Shared<u8>,
    /// The window's height and width; at most 254 places.
    pub window: [usize; 2],
    /// The pooled height and width.
    pub size: [usize; 2],
    pub channels: usize,
    /// The bias of each channel; zeros if the convolution has none.
    pub bias: &'a [T],
}

impl<T: Real> Pooled<'_, T> {
    /// Pools `block: [images, rows, width, channels]`, the results of `unit`, whose first row is the first row of a
    /// window.
    pub fn store(&self, isa: Isa, unit: &Unit, width: usize, channels: Range<usize>, relu: bool, block: &[T]) {
        let [tall, wide] = self.window;
        let row = width * channels.len();
        let image = unit.rows.len() * row;
        // The offset of each place of a window, relative to its first place.
        let places: Vec<usize> =
            (0..tall * wide).map(|place| place / wide * row + place % wide * channels.len()).collect();
        let pooled_rows = unit.rows.start / tall..(unit.rows.end / tall).min(self.size[0]);
        for (n, block) in unit.images.clone().zip(block.chunks(image.max(1))) {
            for (i, block) in pooled_rows.clone().zip(block.chunks(tall * row)) {
                for j in 0..self.size[1] {
                    let start = ((n * self.size[0] + i) * self.size[1] + j) * self.channels + channels.start;
                    // SAFETY: each unit and range of channels belongs to one task.
                    let (out, which) = unsafe {
                        let range = start..start + channels.len();
                        (self.out.slice(range.clone()), self.which.slice(range))
                    };
                    let window = &block[j * wide * channels.len()..];
                    largest(isa, window, &places, &self.bias[channels.clone()], relu, out, which);
                }
            }
        }
    }
}

/// The larger of `best`, at place `at`, and `x`, at `place`. Of equal values the first wins, and a NaN wins over any
/// number.
#[inline(always)]
fn larger<T: Real>(best: T, at: u32, x: T, place: u32) -> (T, u32) {
    // Not (x ≤ best), unless `best` is a NaN already: true for a NaN `x` too.
    #[allow(clippy::neg_cmp_op_on_partial_ord, clippy::eq_op)]
    let larger = !(x <= best) & (best == best);
    (if larger { x } else { best }, if larger { place } else { at })
}

multiversion! {
    /// The largest value of each channel over a window and its place. Of equal values the first wins, and a NaN counts
    /// as largest.
    fn largest<T: Real>(
        values: &[T],
        places: &[usize],
        bias: &[T],
        relu: bool,
        out: &mut [T],
        which: &mut [u8],
    ) {
        let count = out.len();
        if let &[p, q, r, s] = places {
            // Windows of four places in one pass, with the largest value in a register.
            let (first, second, third, fourth) =
                (&values[p..p + count], &values[q..q + count], &values[r..r + count], &values[s..s + count]);
            let (bias, which) = (&bias[..count], &mut which[..count]);
            for c in 0..count {
                let b = bias[c];
                let (mut best, mut place) = (first[c] + b, 0_u32);
                (best, place) = larger(best, place, second[c] + b, 1);
                (best, place) = larger(best, place, third[c] + b, 2);
                (best, place) = larger(best, place, fourth[c] + b, 3);
                let dead = relu & (best <= T::default());
                out[c] = if dead { T::default() } else { best };
                which[c] = if dead { NOWHERE } else { place as u8 };
            }
            return;
        }
        for ((out, &x), &b) in out.iter_mut().zip(&values[..count]).zip(bias) {
            *out = x + b;
        }
        which.fill(0);
        for (place, &start) in places.iter().enumerate().skip(1) {
            let values = &values[start..start + count];
            for (((out, which), &x), &b) in out.iter_mut().zip(which.iter_mut()).zip(values).zip(bias) {
                let (best, at) = larger(*out, u32::from(*which), x + b, place as u32);
                (*out, *which) = (best, at as u8);
            }
        }
        if relu {
            for (out, which) in out.iter_mut().zip(which) {
                let dead = *out <= T::default();
                *out = if dead { T::default() } else { *out };
                *which = if dead { NOWHERE } else { *which };
            }
        }
    }
}

/// Applies the epilogue to `channels` at each of `count` positions, `pitch` elements apart.
///
/// # Safety
/// Nothing else uses these elements meanwhile.
pub(crate) unsafe fn finish_positions<T: Real>(
    out: &Shared<T>,
    start: usize,
    count: usize,
    pitch: usize,
    channels: Range<usize>,
    finish: Epilogue<T>,
) {
    for position in 0..count {
        let start = start + position * pitch;
        // SAFETY: as the caller vouches.
        finish.apply(unsafe { out.slice(start..start + channels.len()) }, channels.start);
    }
}
