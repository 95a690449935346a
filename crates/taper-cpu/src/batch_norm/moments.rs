//! Each channel's mean and biased variance, in one pass over memory.
//!
//! A block of rows stays in the cache while its mean and then its sum of squares about that mean are computed. The
//! moments of the blocks are joined by the formula of Chan, Golub and LeVeque (1979), whose terms are all positive, so
//! that nothing cancels.

use super::{RUN, Rows, TILE, rounded, tile};
use crate::CpuBackend;
use crate::isa::multiversion;
use crate::long_sum::flush;
use crate::math::Float;

multiversion! {
    /// Adds each row's deviations from `shift` to the sum of its channel.
    fn add_deviations<T: Float>(x: &[T], shift: &[T], sum: &mut [T]) {
        let width = shift.len();
        let whole = width - width % TILE;
        for x in x.chunks_exact(width) {
            for left in (0..whole).step_by(TILE) {
                let (x, shift, mut acc) = (tile(x, left), tile(shift, left), tile(sum, left));
                for i in 0..TILE {
                    acc[i] += x[i] - shift[i];
                }
                sum[left..left + TILE].copy_from_slice(&acc);
            }
            for i in whole..width {
                sum[i] += x[i] - shift[i];
            }
        }
    }
}

multiversion! {
    /// Adds the squares of each row's deviations from `shift` to the sum of its channel.
    fn add_squares<T: Float>(x: &[T], shift: &[T], sum: &mut [T]) {
        let width = shift.len();
        let whole = width - width % TILE;
        for x in x.chunks_exact(width) {
            for left in (0..whole).step_by(TILE) {
                let (x, shift, mut acc) = (tile(x, left), tile(shift, left), tile(sum, left));
                for i in 0..TILE {
                    let d = x[i] - shift[i];
                    acc[i] += d * d;
                }
                sum[left..left + TILE].copy_from_slice(&acc);
            }
            for i in whole..width {
                let d = x[i] - shift[i];
                sum[i] += d * d;
            }
        }
    }
}

/// The moments of a block of rows: each channel's mean, and its sum of squared deviations from that mean.
struct BlockMoments {
    rows: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl BlockMoments {
    fn new<T: Float>(cpu: &CpuBackend, x: &[T], channels: usize) -> Self {
        let rows = (x.len() / channels) as f64;
        let mut few = vec![T::ZERO; channels];
        let mut sums = |add: fn(crate::Isa, &[T], &[T], &mut [T]), shift: &[T]| {
            let mut sum = vec![0.0; channels];
            for rows in x.chunks(RUN * channels) {
                add(cpu.isa(), rows, shift, &mut few);
                flush(cpu.isa(), &mut few, &mut sum);
            }
            sum
        };
        // Sums of deviations from the first row, which is near the mean, lose little precision if the mean is large.
        let first = &x[..channels];
        let mean: Vec<f64> =
            sums(add_deviations::<T>, first).iter().zip(first).map(|(sum, x)| x.wide() + sum / rows).collect();
        let near = rounded::<T>(mean.iter().copied());
        let mut squares = sums(add_squares::<T>, &near);
        for ((square, mean), near) in squares.iter_mut().zip(&mean).zip(&near) {
            *square = (*square - rows * (mean - near.wide()).powi(2)).max(0.0);
        }
        Self { rows, mean, squares }
    }
}

/// The mean and the biased variance of each channel.
pub(super) fn moments<T: Float>(cpu: &CpuBackend, x: &[T], rows: Rows) -> (Vec<f64>, Vec<f64>) {
    let (channels, all) = (rows.channels, rows.count as f64);
    let size = rows.task();
    let blocks = cpu.map_tasks(x.len().div_ceil(size), x.len(), |task| {
        BlockMoments::new(cpu, &x[task * size..x.len().min((task + 1) * size)], channels)
    });
    // Block by block, each along its channels.
    let start = &blocks[0].mean;
    let mut sums = vec![0.0; channels];
    for block in &blocks {
        let shifts = block.mean.iter().zip(start);
        sums.iter_mut().zip(shifts).for_each(|(sum, (mean, start))| *sum += block.rows * (mean - start));
    }
    let mean: Vec<f64> = start.iter().zip(&sums).map(|(start, sum)| start + sum / all).collect();
    sums.fill(0.0);
    for block in &blocks {
        let own = block.squares.iter().zip(&block.mean).zip(&mean);
        let of = |((squares, own), mean): ((&f64, &f64), &f64)| squares + block.rows * (own - mean).powi(2);
        sums.iter_mut().zip(own.map(of)).for_each(|(sum, squares)| *sum += squares);
    }
    let variance: Vec<f64> = sums.iter().map(|squares| squares / all).collect();
    // Deviations or their squares may overflow the elements' own type.
    if variance.iter().all(|variance| variance.is_finite()) { (mean, variance) } else { in_f64(x, channels) }
}

/// As [`moments`], but slower: all sums and squares are in f64.
fn in_f64<T: Float>(x: &[T], channels: usize) -> (Vec<f64>, Vec<f64>) {
    let all = (x.len() / channels) as f64;
    let (mut mean, mut variance) = (vec![0.0; channels], vec![0.0; channels]);
    for row in x.chunks_exact(channels) {
        mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += x.wide() / all);
    }
    for row in x.chunks_exact(channels) {
        let deviations = row.iter().zip(&mean).map(|(x, mean)| x.wide() - mean);
        variance.iter_mut().zip(deviations).for_each(|(variance, d)| *variance += d * d / all);
    }
    (mean, variance)
}
