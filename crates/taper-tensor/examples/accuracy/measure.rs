//! How far f32 results are from the truth, in units in the last place.

use crate::functions::{Computed, Function};
use std::sync::atomic::{AtomicU64, Ordering};
use taper_backend::Device;
use taper_tensor::{Error, Result};

/// What the results of one function on one device were.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// Arguments.
    pub count: u64,
    /// Results that are the truth rounded to nearest.
    pub rounded: u64,
    /// The largest error in ulp of the truth, a subnormal's ulp being 2⁻¹⁴⁹.
    pub worst: f64,
    /// The argument that it was at.
    pub at: f32,
    /// Results that are NaN where they should not be, or the other way round; infinite likewise; zeros of the wrong sign.
    pub wrong: [u64; 3],
    /// An argument with such a result, and that.
    pub example: Option<(f32, f32)>,
}

impl Tally {
    /// Takes in the result `y` at `x`, where `truth` is due, 0 with its sign if that counts.
    fn add(&mut self, x: f32, y: f32, truth: f64, signed_zero: bool) {
        self.count += 1;
        if y.to_bits() == (truth as f32).to_bits() || (y.is_nan() && truth.is_nan()) {
            self.rounded += 1;
            return;
        }
        let wrong = if y.is_nan() || truth.is_nan() {
            Some(0)
        } else if truth.is_infinite() {
            Some(1) // and y is not the same
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
        // An infinite result counts as the number that would come next; a truth far beyond the range rounds to infinity.
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
        // Of equals the argument with the smallest bits, whichever thread saw it.
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

/// Numbers in a block.
const BLOCK: u64 = 1 << 15;

/// `function` at the floats whose bits are the multiples of `stride`, in `threads` threads, each with devices that `make`
/// makes: a tally for each device. The truth is computed once for all.
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

/// Adds the results at `x` on each device to its tally. What has the same bits as on the device before needs no judging.
pub fn judge(function: &Function, x: &[f32], devices: &[Device], tallies: &mut [Tally]) -> Result<()> {
    let truth: Vec<f64> = x.iter().map(|&x| (function.truth)(x.into())).collect();
    // The sign of a second derivative's 0 says nothing.
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
