//! Sums of many terms whose rounding error does not grow with the number of terms.
//!
//! A running sum in f32 loses precision as it grows: of ten million terms it may keep five digits, or two. So only a
//! run of a fixed number of terms is added in the elements' own type, and the sums of the runs are added in f64. The
//! error of a sum of positive terms is then at most the run's length in units of the type's rounding, however many runs
//! there are. The order of the additions depends on sizes alone.

use crate::isa::multiversion;
use crate::math::Float;

/// The length of a run where rows are added to rows.
pub(crate) const RUN: usize = 32;
/// The number of matrix products whose results a micro-kernel adds in the elements' own type.
pub(crate) const PRODUCTS: usize = 64;
/// The number of f64 partial sums of one row, added in order at the end.
const LANES: usize = 16;

/// Σ f(i) over `0..n`, in [`LANES`] partial sums.
#[inline(always)]
pub(crate) fn lane_sum(n: usize, f: impl Fn(usize) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let whole = n - n % LANES;
    for start in (0..whole).step_by(LANES) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += f(start + lane);
        }
    }
    for (lane, i) in (whole..n).enumerate() {
        lanes[lane] += f(i);
    }
    lanes.iter().sum()
}

/// Σ f(x), in the partial sums of [`lane_sum`].
#[inline(always)]
pub(crate) fn sum_of<T: Float>(x: &[T], f: impl Fn(f64) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let (groups, rest) = x.as_chunks::<LANES>();
    for group in groups {
        for (sum, x) in lanes.iter_mut().zip(group) {
            *sum += f(x.wide());
        }
    }
    for (sum, x) in lanes.iter_mut().zip(rest) {
        *sum += f(x.wide());
    }
    lanes.iter().sum()
}

multiversion! {
    /// Σ x.
    pub(crate) fn total<T: Float>(x: &[T]) -> f64 {
        lane_sum(x.len(), |i| x[i].wide())
    }
}

multiversion! {
    /// `y[i] += x[i]`.
    pub(crate) fn add<T: Float>(x: &[T], y: &mut [T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y += x;
        }
    }
}

multiversion! {
    /// `to[i] += from[i]`.
    pub(crate) fn accumulate<T: Float>(from: &[T], to: &mut [f64]) {
        for (from, to) in from.iter().zip(to) {
            *to += from.wide();
        }
    }
}

multiversion! {
    /// `to[i] += from[i]`, and sets `from` to zero.
    pub(crate) fn flush<T: Float>(from: &mut [T], to: &mut [f64]) {
        for (from, to) in from.iter_mut().zip(to) {
            *to += from.wide();
            *from = T::ZERO;
        }
    }
}

multiversion! {
    /// `y[i]` is `sums[i]`, rounded.
    pub(crate) fn round<T: Float>(sums: &[f64], y: &mut [T]) {
        for (y, &sum) in y.iter_mut().zip(sums) {
            *y = T::of(sum);
        }
    }
}

/// Columns whose sums are kept in registers.
const BLOCK: usize = 16;
/// Columns whose sums are kept in the L1 cache.
const WIDE: usize = 256;

/// Adds `rows` rows, as wide as `sums`, to `sums`, in runs of [`RUN`]. Row `i` starts at `start(i)` in `from`.
#[inline(always)]
fn add_each<T: Float>(from: &[T], rows: usize, start: impl Fn(usize) -> usize, sums: &mut [f64]) {
    let width = sums.len();
    for first in (0..rows).step_by(RUN) {
        let run = first..rows.min(first + RUN);
        let mut left = 0;
        // Wide rows are read along the rows: sequential reads are the fastest.
        while left + 2 * BLOCK < width {
            let part = WIDE.min(width - left);
            let mut total = [T::ZERO; WIDE];
            for row in run.clone() {
                for (total, &x) in total[..part].iter_mut().zip(&from[start(row) + left..][..part]) {
                    *total += x;
                }
            }
            for (sum, total) in sums[left..left + part].iter_mut().zip(total) {
                *sum += total.wide();
            }
            left += part;
        }
        while left + BLOCK <= width {
            let mut total = [T::ZERO; BLOCK];
            for row in run.clone() {
                let from = &from[start(row) + left..][..BLOCK];
                for l in 0..BLOCK {
                    total[l] += from[l];
                }
            }
            for (sum, total) in sums[left..left + BLOCK].iter_mut().zip(total) {
                *sum += total.wide();
            }
            left += BLOCK;
        }
        for (column, sum) in sums.iter_mut().enumerate().skip(left) {
            let mut total = T::ZERO;
            for row in run.clone() {
                total += from[start(row) + column];
            }
            *sum += total.wide();
        }
    }
}

multiversion! {
    /// Adds each row of `from` to `sums`. Rows start `pitch` elements apart; their first `sums.len()` elements count.
    pub(crate) fn add_rows<T: Float>(from: &[T], pitch: usize, sums: &mut [f64]) {
        add_each(from, from.len() / pitch, |row| row * pitch, sums);
    }
}

multiversion! {
    /// Adds the rows of `from` whose indices are `chosen` to `sums`, which is as wide as a row.
    pub(crate) fn add_chosen<T: Float>(from: &[T], chosen: &[i64], sums: &mut [f64]) {
        let width = sums.len();
        add_each(from, chosen.len(), |i| chosen[i] as usize * width, sums);
    }
}
