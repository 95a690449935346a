//! The passes over a block of scores: the online softmax, and the gradients of the scores.

use crate::isa::multiversion;
use crate::long_sum::lane_sum;
use crate::math::Float;
use crate::softmax::largest;

/// The elements of which a row of a block has a multiple: rows are padded with scores of −∞.
pub(super) const LANES: usize = 16;

/// What is known of a row of scores so far.
#[derive(Clone, Copy)]
pub(super) struct Row<T> {
    /// The largest score; −∞ if all are hidden.
    pub top: T,
    /// Σ e^(score − top).
    pub sum: f64,
    /// e^(top before − top), by which what was summed before the last block is multiplied.
    pub factor: T,
}

impl<T: Float> Row<T> {
    /// A row of no scores.
    pub(super) fn new() -> Self {
        Self { top: -T::INFINITY, sum: 0.0, factor: T::ZERO }
    }
}

/// What is subtracted from scores, the largest of which is `top`: −∞ − (−∞) would be NaN.
#[inline(always)]
fn shift<T: Float>(top: T) -> T {
    if top == -T::INFINITY { T::ZERO } else { top }
}

multiversion! {
    /// Turns each row of `scores`, `pitch` elements long, into e^(score − top), for the largest score so far.
    pub(super) fn powers<T: Float>(scores: &mut [T], pitch: usize, rows: &mut [Row<T>]) {
        for (scores, row) in scores.chunks_exact_mut(pitch).zip(rows) {
            let top = row.top.larger(largest(scores));
            let from = shift(top);
            let mut sums = [T::ZERO; LANES];
            for part in scores.as_chunks_mut::<LANES>().0 {
                for (score, sum) in part.iter_mut().zip(&mut sums) {
                    *score = (*score - from).exp_not_above_zero();
                    *sum += *score;
                }
            }
            let mut sum = 0.0;
            for part in sums {
                sum += part.wide();
            }
            row.factor = (row.top - from).exp();
            row.sum = row.sum * row.factor.wide() + sum;
            row.top = top;
        }
    }
}

multiversion! {
    /// Multiplies each row of `x`, `pitch` elements long, by the row's factor.
    pub(super) fn rescale<T: Float>(x: &mut [T], pitch: usize, rows: &[Row<T>]) {
        for (x, row) in x.chunks_exact_mut(pitch).zip(rows) {
            if row.factor != T::ONE {
                for x in x {
                    *x = *x * row.factor;
                }
            }
        }
    }
}

multiversion! {
    /// `y = x · factor`.
    pub(super) fn scaled<T: Float>(x: &[T], factor: T, y: &mut [T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x * factor;
        }
    }
}

multiversion! {
    /// Σ a · b.
    pub(super) fn dot<T: Float>(a: &[T], b: &[T]) -> f64 {
        lane_sum(a.len().min(b.len()), |i| a[i].wide() * b[i].wide())
    }
}

/// What the gradient needs of a row.
#[derive(Clone, Copy)]
pub(super) struct RowSlope<T> {
    /// The largest score; −∞ if all are hidden.
    pub top: T,
    /// 1 / Σ e^(score − top); 0 if all are hidden.
    pub inverse: T,
    /// Σ g · y, the mean of the weights' gradients, weighted.
    pub mean: T,
}

multiversion! {
    /// Turns `scores` into weights p, and `slopes`, the weights' gradients, into those of the scores: p (slope − mean). Rows
    /// are `pitch` elements long.
    pub(super) fn slopes<T: Float>(scores: &mut [T], slopes: &mut [T], pitch: usize, rows: &[RowSlope<T>]) {
        for ((scores, slopes), row) in scores.chunks_exact_mut(pitch).zip(slopes.chunks_exact_mut(pitch)).zip(rows) {
            let (from, inverse, mean) = (shift(row.top), row.inverse, row.mean);
            for (score, slope) in scores.iter_mut().zip(slopes) {
                let weight = (*score - from).exp_not_above_zero() * inverse;
                *score = weight;
                *slope = weight * (*slope - mean);
            }
        }
    }
}

multiversion! {
    /// Turns `scores` into weights. Rows are `pitch` elements long.
    pub(super) fn weights<T: Float>(scores: &mut [T], pitch: usize, rows: &[RowSlope<T>]) {
        for (scores, row) in scores.chunks_exact_mut(pitch).zip(rows) {
            let (from, inverse) = (shift(row.top), row.inverse);
            for score in scores {
                *score = (*score - from).exp_not_above_zero() * inverse;
            }
        }
    }
}
