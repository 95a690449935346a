//! Elementary functions of one number, for f32 in a form that the compiler turns into vector instructions.
//!
//! The f32 functions are free of branches and calls, so that a loop over them vectorises. Bounds on their relative errors
//! (over all finite results that are not subnormal) stand with each and are tested against f64. The f64 functions are the
//! standard library's, but for `erf`, which it lacks.

use crate::storage::Stored;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// f32 or f64, with what kernels need.
pub(crate) trait Float:
    Stored
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
{
    const ZERO: Self;
    const ONE: Self;
    const INFINITY: Self;
    /// Rounds from f64.
    fn of(x: f64) -> Self;
    /// To f64, exactly.
    fn wide(self) -> f64;
    fn abs(self) -> Self;
    fn exp(self) -> Self;
    fn ln(self) -> Self;
    fn ln_1p(self) -> Self;
    fn sqrt(self) -> Self;
    fn sin(self) -> Self;
    fn cos(self) -> Self;
    fn tanh(self) -> Self;
    fn erf(self) -> Self;
    /// Φ, the normal distribution function.
    fn normal_cdf(self) -> Self;
    /// Φ(x) + x φ(x) with φ = Φ′: the derivative of x Φ(x).
    fn gelu_slope(self) -> Self;
    fn floor(self) -> Self;
    fn powf(self, y: Self) -> Self;
    fn finite(self) -> bool;

    /// 1 / (1 + e⁻ˣ), to full relative precision on both sides.
    #[inline(always)]
    fn sigmoid(self) -> Self {
        let e = (-self.abs()).exp();
        let numerator = if self < Self::ZERO { e } else { Self::ONE };
        numerator / (Self::ONE + e)
    }

    /// sigmoid x · (1 − sigmoid x), its derivative, to full relative precision on both sides.
    #[inline(always)]
    fn sigmoid_slope(self) -> Self {
        let e = (-self.abs()).exp();
        e / ((Self::ONE + e) * (Self::ONE + e))
    }

    /// The larger, NaN if either is.
    #[inline(always)]
    fn larger(self, y: Self) -> Self {
        if self > y || self.is_nan() { self } else { y }
    }

    /// The smaller, NaN if either is.
    #[inline(always)]
    fn smaller(self, y: Self) -> Self {
        if self < y || self.is_nan() { self } else { y }
    }

    #[inline(always)]
    #[allow(clippy::eq_op)] // what NaN is
    fn is_nan(self) -> bool {
        self != self
    }
}

macro_rules! float {
    ($t:ident, $exp:path, $tanh:path, $erf:path, $cdf:path, $gelu_slope:path) => {
        impl Float for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const INFINITY: Self = $t::INFINITY;
            #[inline(always)]
            fn of(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn wide(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $t::abs(self)
            }
            #[inline(always)]
            fn exp(self) -> Self {
                $exp(self)
            }
            #[inline(always)]
            fn ln(self) -> Self {
                $t::ln(self)
            }
            #[inline(always)]
            fn ln_1p(self) -> Self {
                $t::ln_1p(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $t::sqrt(self)
            }
            #[inline(always)]
            fn sin(self) -> Self {
                $t::sin(self)
            }
            #[inline(always)]
            fn cos(self) -> Self {
                $t::cos(self)
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                $tanh(self)
            }
            #[inline(always)]
            fn erf(self) -> Self {
                $erf(self)
            }
            #[inline(always)]
            fn normal_cdf(self) -> Self {
                $cdf(self)
            }
            #[inline(always)]
            fn gelu_slope(self) -> Self {
                $gelu_slope(self)
            }
            #[inline(always)]
            fn floor(self) -> Self {
                $t::floor(self)
            }
            #[inline(always)]
            fn powf(self, y: Self) -> Self {
                $t::powf(self, y)
            }
            #[inline(always)]
            fn finite(self) -> bool {
                $t::is_finite(self)
            }
        }
    };
}
float!(f32, exp_f32, tanh_f32, erf_f32, normal_cdf_f32, gelu_slope_f32);
float!(f64, f64::exp, f64::tanh, erf_f64, normal_cdf_f64, gelu_slope_f64);

/// The polynomial with `coefficients`, constant first, at `x` (Horner).
#[inline(always)]
fn polynomial<const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let (last, others) = (coefficients[N - 1], &coefficients[..N - 1]);
    others.iter().rev().fold(last, |sum, &c| sum * x + c)
}

/// `a` or `b`, by way of their bits, so that the compiler does not turn the choice into a branch around either.
#[inline(always)]
fn select(first: bool, a: f32, b: f32) -> f32 {
    let mask = 0u32.wrapping_sub(u32::from(first));
    f32::from_bits((a.to_bits() & mask) | (b.to_bits() & !mask))
}

/// 1.5 · 2²³: added to a small number, it leaves the nearest integer in the lowest bits.
const ROUND: f32 = 12_582_912.0;

/// eˣ, relative error under 1.5e-7.
#[inline(always)]
pub(crate) fn exp_f32(x: f32) -> f32 {
    // Past these, the result is infinite or zero anyhow. The comparisons are false for NaN, which so stays.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -105.0 { -105.0 } else { x };
    exp_of_sum(x, x, 0.0)
}

/// e^(a + b) for x ≈ a + b from −105 to 89, and b so small beside a that their sum would not hold it. With
/// n = round(x / ln 2) and r = a + b − n ln 2, it is 2ⁿ eʳ (Cody and Waite 1980, chapter 6); eʳ by the polynomial of
/// Moshier's Cephes library (`expf`).
#[inline(always)]
fn exp_of_sum(x: f32, a: f32, b: f32) -> f32 {
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts, the first with so few bits that n times it is exact.
    let r = (a - n * 0.693_359_4) - n * -2.121_944_4e-4 + b;
    let tail = polynomial(r, [0.5, 1.666_666_5e-1, 4.166_579_6e-2, 8.333_452e-3, 1.398_199_9e-3, 1.987_569_1e-4]);
    let power = 1.0 + (r + r * r * tail);
    // 2ⁿ in two factors, since n reaches past the exponents of a float at both ends.
    let n = shifted.to_bits() as i32 - ROUND.to_bits() as i32;
    let half = n >> 1;
    let scale = |n: i32| f32::from_bits(((n.wrapping_add(127)) as u32) << 23);
    power * scale(half) * scale(n.wrapping_sub(half))
}

/// tanh x, relative error under 3e-7: an odd polynomial near 0 (Cephes, `tanhf`), 1 − 2 / (e²ˣ + 1) elsewhere.
#[inline(always)]
pub(crate) fn tanh_f32(x: f32) -> f32 {
    let z = x * x;
    let near =
        polynomial(z, [-3.333_328e-1, 1.333_144_2e-1, -5.373_971_6e-2, 2.063_909e-2, -5.704_988_7e-3]) * z * x + x;
    let far = (1.0 - 2.0 / (exp_f32(2.0 * x.abs()) + 1.0)).copysign(x);
    select(x.abs() < 0.625, near, far)
}

/// erf x for |x| < 1: x · p(x²), with p fitted to erf(x) / x.
#[inline(always)]
fn erf_near(x: f32) -> f32 {
    const P: [f32; 7] = [
        std::f32::consts::FRAC_2_SQRT_PI,
        -3.761_262_6e-1,
        1.128_358_5e-1,
        -2.685_381_3e-2,
        5.188_327_7e-3,
        -8.010_193_7e-4,
        7.853_861e-5,
    ];
    x * polynomial(x * x, P)
}

/// e^(a²) erfc a for a from 1 to 10: t · p(t) with t = 1 / (1 + a / 2).
#[inline(always)]
fn erfcx_f32(a: f32) -> f32 {
    const P: [f32; 8] = [
        2.820_980_3e-1,
        2.820_47e-1,
        2.469_040_5e-1,
        1.790_403e-1,
        6.034_195_4e-2,
        8.344_778e-2,
        -2.270_643_4e-1,
        9.376_441e-2,
    ];
    let t = 1.0 / (1.0 + 0.5 * a);
    t * polynomial(t, P)
}

/// e^(−f x²) for 0 ≤ x ≤ 14.4 and f either 1, up to 10, or ½. The first 12 bits of x have an exact square; what is left
/// joins where it is not lost.
#[inline(always)]
fn exp_minus_square(f: f32, x: f32) -> f32 {
    let head = f32::from_bits(x.to_bits() & 0xFFFF_F000);
    exp_of_sum(-(f * x * x), -(f * head * head), -(f * (x - head) * (x + head)))
}

/// erf x, relative error under 2.5e-7. The polynomials behind it were fitted by least squares reweighted towards the
/// smallest maximum.
#[inline(always)]
pub(crate) fn erf_f32(x: f32) -> f32 {
    let a = if x.abs() > 10.0 { 10.0 } else { x.abs() };
    let far = (1.0 - exp_minus_square(1.0, a) * erfcx_f32(a)).copysign(x);
    select(a < 1.0, erf_near(x), far)
}

/// Φ(−b) and e^(−b² / 2), for b = |x|, here at most 14: past that, both are nothing. Φ(−b) = e^(−b² / 2) · t · p(t) with
/// t = 1 / (1 + 0.35 b), p fitted as those of erf.
#[inline(always)]
fn normal_tail_f32(b: f32) -> (f32, f32) {
    const P: [f32; 9] = [
        1.396_213e-1,
        1.398_635_2e-1,
        1.198_212_9e-1,
        1.055_525e-1,
        -2.321_235_3e-2,
        1.593_197e-1,
        -2.558_39e-1,
        1.440_309_1e-1,
        -2.915_788_6e-2,
    ];
    let t = 1.0 / (1.0 + 0.35 * b);
    let power = exp_minus_square(0.5, b);
    (power * (t * polynomial(t, P)), power)
}

/// Φ(x), the normal distribution function, relative error under 1e-6 in the lower tail too.
#[inline(always)]
pub(crate) fn normal_cdf_f32(x: f32) -> f32 {
    let b = if x.abs() > 14.0 { 14.0 } else { x.abs() };
    let (tail, _) = normal_tail_f32(b);
    select(x > 0.0, 1.0 - tail, tail)
}

/// Φ(x) + x φ(x), with one power for both. Error under 5e-7 (the sum crosses 0 at −0.75).
#[inline(always)]
fn gelu_slope_f32(x: f32) -> f32 {
    let b = if x.abs() > 14.0 { 14.0 } else { x.abs() };
    let (tail, power) = normal_tail_f32(b);
    // Φ(−b) − b φ(b), or what is left to 1.
    let slope = tail - b * power * FRAC_1_SQRT_TAU;
    select(x > 0.0, 1.0 - slope, slope)
}

/// 1 / √(2π)
const FRAC_1_SQRT_TAU: f32 = 0.398_942_3;

/// erf x to about 2e-16: below 1.5 by the series of Abramowitz and Stegun (1964) 7.1.6, whose terms are all positive, above
/// through the complement.
pub(crate) fn erf_f64(x: f64) -> f64 {
    let a = x.abs();
    if x.is_nan() {
        x
    } else if a < 1.5 {
        // (2 / √π) e^(−x²) Σ 2ⁿ x^(2n+1) / (1 · 3 · … · (2n + 1))
        let (mut term, mut sum, mut n) = (x, x, 1.0);
        while term.abs() > 1e-18 * sum.abs() {
            term *= 2.0 * a * a / (2.0 * n + 1.0);
            sum += term;
            n += 1.0;
        }
        std::f64::consts::FRAC_2_SQRT_PI * (-a * a).exp() * sum
    } else if a < 6.0 {
        (1.0 - erfc_far(a)).copysign(x)
    } else {
        1f64.copysign(x)
    }
}

/// erfc a for a from 1.5 to 40 by the continued fraction of Abramowitz and Stegun 7.1.14:
/// e^(−a²) / √π · 1 / (a + ½ / (a + 1 / (a + 1½ / (a + …)))). Its error falls as e^(−2a √(2n)) with the number of terms.
fn erfc_far(a: f64) -> f64 {
    let terms = ((19.0 / a).powi(2) / 2.0) as u32 + 4;
    let fraction = (1..=terms).rev().fold(a, |below, n| a + 0.5 * f64::from(n) / below);
    // The square in two parts, the first exact: in e^(−a²) its rounding would show.
    let head = f64::from(a as f32);
    let power = (-head * head).exp() * (-(a - head) * (a + head)).exp();
    0.5 * std::f64::consts::FRAC_2_SQRT_PI * power / fraction
}

/// Φ(x) = ½ erfc(−x / √2).
pub(crate) fn normal_cdf_f64(x: f64) -> f64 {
    let a = x.abs() * std::f64::consts::FRAC_1_SQRT_2;
    let tail = 0.5
        * if a < 1.5 || a.is_nan() {
            1.0 - erf_f64(a)
        } else if a < 40.0 {
            erfc_far(a)
        } else {
            0.0
        };
    if x > 0.0 { 1.0 - tail } else { tail }
}

/// Φ(x) + x φ(x).
fn gelu_slope_f64(x: f64) -> f64 {
    const FRAC_1_SQRT_TAU: f64 = 0.5 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2;
    normal_cdf_f64(x) + x * (FRAC_1_SQRT_TAU * (-0.5 * x * x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest relative error of `f` against `truth` over floats from `low` to `high`, and where.
    fn worst(f: impl Fn(f32) -> f32, truth: impl Fn(f64) -> f64, low: f32, high: f32) -> (f64, f32) {
        let n = 400_000;
        (0..=n)
            .map(|i| {
                let x = low + (high - low) * i as f32 / n as f32;
                let t = truth(f64::from(x));
                let error = if t == 0.0 { f64::from(f(x)).abs() } else { ((f64::from(f(x)) - t) / t).abs() };
                assert!(!error.is_nan(), "at {x}");
                (error, x)
            })
            .fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a })
    }

    #[test]
    fn f32_functions_are_within_their_stated_errors() {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        for (found, bound) in [
            (worst(exp_f32, f64::exp, -87.0, 88.7), 1.5e-7),
            (worst(exp_f32, f64::exp, -1.0, 1.0), 1.5e-7),
            (worst(tanh_f32, f64::tanh, -10.0, 10.0), 3e-7),
            (worst(tanh_f32, f64::tanh, -1e-3, 1e-3), 3e-7),
            (worst(erf_f32, erf_f64, -5.0, 5.0), 2.5e-7),
            (worst(erf_f32, erf_f64, -1e-3, 1e-3), 2.5e-7),
            (worst(<f32 as Float>::sigmoid, sigmoid, -87.0, 87.0), 4e-7),
            (worst(normal_cdf_f32, normal_cdf_f64, -12.0, 9.0), 1e-6),
            (worst(|x| 1.0 + gelu_slope_f32(x), |x| 1.0 + gelu_slope_f64(x), -20.0, 20.0), 3e-7),
            // Past where it crosses 0, relative precision is back.
            (worst(gelu_slope_f32, gelu_slope_f64, -12.0, -1.5), 4e-6),
        ] {
            assert!(found.0 < bound, "{found:?} over {bound}");
        }
    }

    #[test]
    fn f32_edges() {
        assert_eq!(exp_f32(0.0), 1.0);
        assert_eq!(exp_f32(f32::INFINITY), f32::INFINITY);
        assert_eq!(exp_f32(89.0), f32::INFINITY);
        assert_eq!(exp_f32(f32::NEG_INFINITY), 0.0);
        assert!(exp_f32(-100.0) > 0.0, "subnormal");
        assert_eq!((tanh_f32(f32::INFINITY), tanh_f32(-40.0), tanh_f32(0.0)), (1.0, -1.0, 0.0));
        assert_eq!((erf_f32(f32::INFINITY), erf_f32(-40.0), erf_f32(0.0)), (1.0, -1.0, 0.0));
        assert_eq!((Float::sigmoid(f32::INFINITY), Float::sigmoid(f32::NEG_INFINITY)), (1.0, 0.0));
        assert_eq!((normal_cdf_f32(f32::INFINITY), normal_cdf_f32(0.0), normal_cdf_f32(1e30)), (1.0, 0.5, 1.0));
        assert!((0.0..1e-40).contains(&normal_cdf_f32(-1e30)));
        assert_eq!((gelu_slope_f32(f32::INFINITY), gelu_slope_f32(0.0), gelu_slope_f32(1e30)), (1.0, 0.5, 1.0));
        for f in [exp_f32, tanh_f32, erf_f32, normal_cdf_f32, gelu_slope_f32, <f32 as Float>::sigmoid] {
            assert!(f(f32::NAN).is_nan());
        }
    }

    #[test]
    #[allow(clippy::excessive_precision)] // the tables keep the digits that were computed
    fn erf_in_f64() {
        // To 17 digits, by arithmetic of 25.
        let known = [
            (0.001, 0.001_128_378_790_969_236_4),
            (0.1, 0.112_462_916_018_284_9),
            (0.5, 0.520_499_877_813_046_54),
            (1.0, 0.842_700_792_949_714_87),
            (1.5, 0.966_105_146_475_310_73),
            (1.999, 0.995_301_556_651_370_51),
            (2.0, 0.995_322_265_018_952_73),
            (2.5, 0.999_593_047_982_555_04),
            (3.0, 0.999_977_909_503_001_41),
            (4.0, 0.999_999_984_582_742_1),
            (5.0, 0.999_999_999_998_462_54),
            (5.9, 0.999_999_999_999_999_93),
        ];
        for (x, truth) in known {
            assert!((erf_f64(x) - truth).abs() <= 8e-16 * truth, "erf({x}) = {:?}, not {truth:?}", erf_f64(x));
            assert_eq!(erf_f64(-x), -erf_f64(x));
        }
        assert_eq!(
            (erf_f64(0.0), erf_f64(1e-300), erf_f64(f64::INFINITY)),
            (0.0, 1e-300 * std::f64::consts::FRAC_2_SQRT_PI, 1.0)
        );
        assert!(erf_f64(f64::NAN).is_nan());
    }
}
