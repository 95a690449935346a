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

/// Sums of columns, to which rows are added.
pub(crate) struct Columns<T> {
    run: Vec<T>,
    sums: Vec<f64>,
    /// Rows in `run`.
    rows: usize,
}

impl<T: Float> Columns<T> {
    pub(crate) fn new(width: usize) -> Self {
        Self { run: vec![T::ZERO; width], sums: vec![0.0; width], rows: 0 }
    }

    /// Adds a row.
    pub(crate) fn add(&mut self, isa: crate::Isa, row: &[T]) {
        add(isa, row, &mut self.run);
        self.rows += 1;
        if self.rows == RUN {
            flush(isa, &mut self.run, &mut self.sums);
            self.rows = 0;
        }
    }

    /// The sums of what was added; none is left.
    pub(crate) fn take(&mut self, isa: crate::Isa, mut f: impl FnMut(usize, f64)) {
        flush(isa, &mut self.run, &mut self.sums);
        self.rows = 0;
        for (i, sum) in self.sums.iter_mut().enumerate() {
            f(i, std::mem::take(sum));
        }
    }
}
