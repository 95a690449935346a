//! Distributions of random numbers, and sampling from them for a dtype.

use crate::{DType, Error, RandomKey, Result};
use half::{bf16, f16};

/// A distribution that random numbers are drawn from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Distribution {
    /// Uniform over `low..high`; where the two are equal, every number is `low`.
    Uniform {
        /// The lower end, included.
        low: f64,
        /// The upper end, excluded.
        high: f64,
    },
    /// The normal distribution.
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation.
        std: f64,
    },
}

impl Distribution {
    /// A sampler that draws numbers of this distribution from the random stream `key`, for elements of `dtype`.
    ///
    /// # Errors
    /// For a uniform distribution when `low` or `high` is not finite, `low > high`, `high − low` overflows f64, or no
    /// value of `dtype` lies in `low..high`.
    pub fn sampler(self, dtype: DType, key: RandomKey) -> Result<Sampler> {
        let Self::Uniform { low, high } = self else {
            return Ok(Sampler { distribution: self, key, least: f64::NEG_INFINITY, most: f64::INFINITY });
        };
        if !(low <= high && (high - low).is_finite()) {
            let detail = format!("uniform over {low}..{high}: expected two finite numbers, the first not the larger");
            return Err(Error::argument("random", detail));
        }
        if low == high {
            return Ok(Sampler { distribution: self, key, least: low, most: low });
        }
        // The least that is not below `low` is −(the most that is not above −`low`).
        let (least, most) = (-most_up_to(-low, true, dtype), most_up_to(high, false, dtype));
        if least > most {
            let detail = format!("uniform over {low}..{high}: no number of {dtype} lies between; take a wider one");
            return Err(Error::argument("random", detail));
        }
        Ok(Sampler { distribution: self, key, least, most })
    }
}

/// Draws random numbers for elements of a dtype. Made by [`Distribution::sampler`].
#[derive(Debug, Clone, Copy)]
pub struct Sampler {
    distribution: Distribution,
    key: RandomKey,
    /// The smallest value of the dtype that may be drawn; `most` is the largest.
    least: f64,
    most: f64,
}

impl Sampler {
    /// The number for element `i`, to be rounded to nearest: `low + (high − low) · key.uniform(i)`, or
    /// `mean + std · key.normal(i)`.
    ///
    /// A uniform number within half an ulp of `high` would round to `high` itself, which is excluded (1 in 4096 for f16
    /// over 0..1). Such a number becomes the largest value below `high` instead, which moves the mean by half the
    /// square of an ulp: for bf16, the coarsest dtype, over 0..1 by 2⁻¹⁷.
    pub fn draw(&self, i: u64) -> f64 {
        match self.distribution {
            // `least` and `most` are values of the dtype: a number between them stays between them when it is rounded.
            Distribution::Uniform { low, high } => {
                (low + (high - low) * self.key.uniform(i)).clamp(self.least, self.most)
            }
            Distribution::Normal { mean, std } => mean + std * self.key.normal(i),
        }
    }
}

/// The largest value of `dtype` that is at most `x` where `included`, and below `x` where not.
fn most_up_to(x: f64, included: bool, dtype: DType) -> f64 {
    let fits = |y: f64| y < x || (included && y == x);
    // The next f16 or bf16 towards −∞, from its bits (sign and magnitude).
    let down = |bits: u16| match bits {
        0 => 0x8001,
        bits if bits >> 15 == 0 => bits - 1,
        bits => bits + 1,
    };
    match dtype {
        DType::F32 => {
            let y = x as f32;
            f64::from(if fits(y.into()) { y } else { y.next_down() })
        }
        DType::F16 => {
            let y = f16::from_f64(x);
            if fits(y.to_f64()) { y.to_f64() } else { f16::from_bits(down(y.to_bits())).to_f64() }
        }
        DType::BF16 => {
            let y = bf16::from_f64(x);
            if fits(y.to_f64()) { y.to_f64() } else { bf16::from_bits(down(y.to_bits())).to_f64() }
        }
        DType::F64 | DType::U8 | DType::I64 => {
            if included {
                x
            } else {
                x.next_down()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_before_an_end() {
        for (x, included, dtype, expected) in [
            (1.0, false, DType::F16, 1.0 - 2f64.powi(-11)),
            (1.0, false, DType::BF16, 1.0 - 2f64.powi(-8)),
            (1.0, false, DType::F32, 1.0 - 2f64.powi(-24)),
            (1.0, false, DType::F64, 1.0 - 2f64.powi(-53)),
            (1.0, true, DType::BF16, 1.0),
            (0.0, false, DType::F16, -2f64.powi(-24)),
            (-0.0, false, DType::F16, -2f64.powi(-24)),
            (-1.0, false, DType::BF16, -1.0 - 2f64.powi(-7)),
            (1e6, false, DType::F16, 65504.0),
            (-0.1, true, DType::F16, -0.0999755859375 - 2f64.powi(-14)),
            (0.3, false, DType::F32, f64::from(0.3f32.next_down())),
        ] {
            assert_eq!(most_up_to(x, included, dtype), expected, "{x} {included} {dtype}");
        }
    }

    #[test]
    fn ends_that_leave_nothing_are_errors() {
        let sampler = |low, high, dtype| {
            Distribution::Uniform { low, high }.sampler(dtype, RandomKey::new(0)).map_err(|error| error.to_string())
        };
        for (low, high) in [(1.0, 0.0), (f64::NAN, 1.0), (0.0, f64::INFINITY), (-f64::MAX, f64::MAX)] {
            let message = sampler(low, high, DType::F32).unwrap_err();
            assert!(message.contains("expected two finite numbers, the first not the larger"), "{message}");
        }
        let message = sampler(1.0001, 1.0002, DType::F16).unwrap_err();
        assert!(message.contains("no number of f16 lies between"), "{message}");
        assert_eq!(sampler(0.1, 0.1, DType::F16).map(|sampler| sampler.draw(3)), Ok(0.1));
    }

    #[test]
    fn uniform_numbers_stay_between_their_ends_when_they_are_rounded() {
        let rounded = |x: f64, dtype| crate::HostData::from_f64(&[x], dtype).to_f64()[0];
        for dtype in [DType::F16, DType::BF16, DType::F32, DType::F64] {
            for (low, high) in [(0.0, 1.0), (-0.1, 0.3), (0.7, 1.3), (-1e-3, -9e-4), (100.0, 103.0), (-3.0, 0.0)] {
                let Ok(sampler) = Distribution::Uniform { low, high }.sampler(dtype, RandomKey::new(0)) else {
                    panic!("{low}..{high} holds no {dtype}");
                };
                for i in 0..20_000 {
                    let x = rounded(sampler.draw(i), dtype);
                    assert!(low <= x && x < high, "{x} is not in {low}..{high} ({dtype}, element {i})");
                }
            }
        }
    }
}
