//! Errors of f32 results against an f64 reference, in units in the last place (ulp).

use crate::functions::{Computed, Function};
use std::sync::atomic::{AtomicU64, Ordering};
use taper_backend::Device;
use taper_tensor::{Error, Result};

/// Counts and the largest error of one function's results on one device.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// The number of arguments.
    pub count: u64,
    /// The number of results that are the reference rounded to nearest.
    pub rounded: u64,
    /// The largest error, in ulp of the reference. A subnormal's ulp is 2⁻¹⁴⁹.
    pub worst: f64,
    /// The argument with the largest error.
    pub at: f32,
    /// The numbers of wrong results: NaN where the reference is not or the other way round; infinite likewise; zeros of
    /// the wrong sign.
    pub wrong: [u64; 3],
    /// An argument with a wrong result, and that result.
    pub example: Option<(f32, f32)>,
}

impl Tally {
    /// Adds the result `y` at `x`, whose reference is `truth`. With `signed_zero` the sign of a 0 must be right too.
    fn add(&mut self, x: f32, y: f32, truth: f64, signed_zero: bool) {
        self.count += 1;
        if y.to_bits() == (truth as f32).to_bits() || (y.is_nan() && truth.is_nan()) {
            self.rounded += 1;
            return;
        }
        let wrong = if y.is_nan() || truth.is_nan() {
            Some(0)
        } else if truth.is_infinite() {
            Some(1) // y is finite, or the other infinity
        } else if signed_zero
            && y == 0.0
            && truth.abs() < 2f64.powi(-149)
            && y.is_sign_negative() != truth.is_sign_negative()
        {
            Some(2)
        } else {
            None
        };
        if let Some(kind) = wrong {
            self.wrong[kind] += 1;
            self.example = self.example.or(Some((x, y)));
            return;
        }
        // An infinite result counts as 2¹²⁸, the number that would follow the largest f32. A reference beyond that
        // counts as it.
        let wide = if y.is_infinite() { 2f64.powi(128).copysign(y.into()) } else { y.into() };
        let truth = truth.clamp(-2f64.powi(128), 2f64.powi(128));
        let error = (wide - truth).abs() / ulp(truth);
        if y.is_infinite() && error > 1000.0 {
            self.wrong[1] += 1;
            self.example = self.example.or(Some((x, y)));
        } else if error > self.worst {
            (self.worst, self.at) = (error, x);
        }
    }

    fn join(&mut self, other: &Self) {
        self.count += other.count;
        self.rounded += other.rounded;
        // Of equal errors the argument with the smallest bits is kept, so that the result does not depend on the
        // threads.
        let first = other.worst == self.worst && other.at.to_bits() < self.at.to_bits();
        if other.worst > self.worst || first {
            (self.worst, self.at) = (other.worst, other.at);
        }
        for (wrong, more) in self.wrong.iter_mut().zip(other.wrong) {
            *wrong += more;
        }
        self.example = self.example.or(other.example);
    }
}

/// The distance between f32 numbers of the size of `truth`.
fn ulp(truth: f64) -> f64 {
    let exponent = ((truth.abs().to_bits() >> 52) as i32 - 1023).clamp(-126, 127);
    2f64.powi(exponent - 23)
}

/// The number of arguments in a block.
const BLOCK: u64 = 1 << 15;

/// Measures `function` at the f32 numbers whose bits are the multiples of `stride`, in `threads` threads, each with its
/// own devices from `make`. Gives a tally for each device. The reference is computed once for all devices.
pub fn measure(
    function: &Function,
    stride: u64,
    threads: usize,
    make: &(dyn Fn() -> Result<Vec<Device>> + Sync),
) -> Result<Vec<Tally>> {
    let total = (1u64 << 32).div_ceil(stride);
    let next = AtomicU64::new(0);
    let work = || -> Result<Vec<Tally>> {
        let devices = make()?;
        let mut tallies = vec![Tally::default(); devices.len()];
        loop {
            let start = next.fetch_add(BLOCK, Ordering::Relaxed);
            if start >= total {
                return Ok(tallies);
            }
            let bits = (start..total.min(start + BLOCK)).map(|i| (i * stride) as u32);
            judge(function, &bits.map(f32::from_bits).collect::<Vec<_>>(), &devices, &mut tallies)?;
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut joined: Vec<Tally> = Vec::new();
        for worker in workers {
            let tallies = worker.join().map_err(|_| Error::argument("measure", "a thread panicked"))??;
            if joined.is_empty() {
                joined = tallies;
            } else {
                joined.iter_mut().zip(&tallies).for_each(|(sum, tally)| sum.join(tally));
            }
        }
        Ok(joined)
    })
}

/// Adds the results at `x` on each device to its tally. Where all results have the same bits as on the device before,
/// that device's tally of the block is reused.
pub fn judge(function: &Function, x: &[f32], devices: &[Device], tallies: &mut [Tally]) -> Result<()> {
    let truth: Vec<f64> = x.iter().map(|&x| (function.truth)(x.into())).collect();
    // The sign of 0 is not checked for second derivatives.
    let signed_zero = !matches!(function.computed, Computed::SecondGrad(_));
    let mut before: Option<(Vec<f32>, Tally)> = None;
    for (device, tally) in devices.iter().zip(tallies) {
        let y = function.computed.at(x, device)?;
        let same = before.filter(|(last, _)| last.iter().zip(&y).all(|(a, b)| a.to_bits() == b.to_bits()));
        let block = match same {
            Some((_, block)) => block,
            None => {
                let mut block = Tally::default();
                for ((&x, &y), &truth) in x.iter().zip(&y).zip(&truth) {
                    block.add(x, y, truth, signed_zero);
                }
                block
            }
        };
        tally.join(&block);
        before = Some((y, block));
    }
    Ok(())
}
