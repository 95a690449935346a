//! Sums of many terms, whose error does not grow with their number.
//!
//! One f32 that terms are added to loses what they are worth: of ten million it may keep five digits, or two. So no more than
//! a run of terms is added in the elements' own type, and the runs' sums in f64: a sum of positive terms is then off by at
//! most a run's length in units of the type's rounding, however many runs there are. The order is fixed by sizes alone.

use crate::isa::multiversion;
use crate::math::Float;

/// Terms that are added in the elements' own type where rows are added to rows.
pub(crate) const RUN: usize = 32;
/// Products of that many terms each, that are added in the elements' own type where a micro-kernel adds them.
pub(crate) const PRODUCTS: usize = 64;
/// Lanes of f64 that one row is summed in, joined in order.
const LANES: usize = 16;

/// Σ f(i) over `0..n`, in lanes.
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
    /// Adds `from` to `to` and empties it.
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
/// Columns whose sums are kept in the first cache.
const WIDE: usize = 256;

/// Adds rows to `sums`, of which row `i` starts at `start(i)` in `from`, in runs.
#[inline(always)]
fn add_each<T: Float>(from: &[T], rows: usize, start: impl Fn(usize) -> usize, sums: &mut [f64]) {
    let width = sums.len();
    for first in (0..rows).step_by(RUN) {
        let run = first..rows.min(first + RUN);
        let mut left = 0;
        // Along the rows, where they are wide: memory is quick only where it is read in the order in which it lies.
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
    /// Adds each row of `sums.len()` of `from`, which start `pitch` apart, to `sums`.
    pub(crate) fn add_rows<T: Float>(from: &[T], pitch: usize, sums: &mut [f64]) {
        add_each(from, from.len() / pitch, |row| row * pitch, sums);
    }
}

multiversion! {
    /// Adds the rows of `from`, as wide as `sums`, that are `chosen`.
    pub(crate) fn add_chosen<T: Float>(from: &[T], chosen: &[i64], sums: &mut [f64]) {
        let width = sums.len();
        add_each(from, chosen.len(), |i| chosen[i] as usize * width, sums);
    }
}
