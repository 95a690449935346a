//! Functions of f64 that the standard library lacks. f64 serves gradient checks, so these favour accuracy over speed.

use super::Float;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// 1 / √(2π)
const FRAC_1_SQRT_TAU: f64 = 0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2;

/// erf x.
pub(super) fn erf(x: f64) -> f64 {
    libm::erf(x)
}

/// Φ(x) = ½ erfc(−x / √2).
pub(super) fn normal_cdf(x: f64) -> f64 {
    let a = -x * FRAC_1_SQRT_2;
    let tail = 0.5 * libm::erfc(a);
    if !(0.5..40.0).contains(&a) {
        return tail;
    }
    // What rounding a has left of x² / 2 − a²: in the lower tail it would show.
    let half = 0.5 * x * x;
    let left = a.mul_add(-a, half) + (0.5 * x).mul_add(x, -half);
    tail - 0.25 * FRAC_2_SQRT_PI * (-a * a).exp() * left / a
}

/// e^(−x²), with the square in two parts, the first exact, since rounding the square would show in the result.
pub(super) fn exp_neg_square(x: f64) -> f64 {
    let a = x.within(40.0);
    let head = f64::from(a as f32);
    (-head * head).exp() * (-(a - head) * (a + head)).exp()
}

/// φ(x), with the square in two parts too.
pub(super) fn normal_pdf(x: f64) -> f64 {
    let a = x.within(40.0);
    let head = f64::from(a as f32);
    FRAC_1_SQRT_TAU * ((-0.5 * head * head).exp() * (-0.5 * (a - head) * (a + head)).exp())
}

/// x Φ(x).
pub(super) fn gelu(x: f64) -> f64 {
    // Φ(−40) is 0.
    (if x < -40.0 { -40.0 } else { x }) * normal_cdf(x)
}

/// Φ(x) + x φ(x).
pub(super) fn gelu_slope(x: f64) -> f64 {
    normal_cdf(x) + x.within(40.0) * normal_pdf(x)
}

/// eˣ.
pub(super) fn exp_not_above_zero(x: f64) -> f64 {
    x.exp()
}

/// eˣ − 1.
pub(super) fn exp_m1_below_zero(x: f64) -> f64 {
    x.exp_m1()
}

/// ln(1 + e^(βx)) / β.
pub(super) fn softplus(x: f64, beta: f64) -> f64 {
    let above = if x < 0.0 { 0.0 } else { x };
    above + (-(beta * x).abs()).exp().ln_1p() / beta
}

/// σ(βx).
pub(super) fn sigmoid_scaled(x: f64, beta: f64) -> f64 {
    (beta * x).sigmoid()
}

/// x σ(x).
pub(super) fn silu(x: f64) -> f64 {
    // σ(−1000) is 0, and 0 · ∞ would be NaN.
    (if x < -1000.0 { -1000.0 } else { x }) * x.sigmoid()
}

/// σ(x) (1 + x (1 − σ(x))).
pub(super) fn silu_slope(x: f64) -> f64 {
    let x = x.within(1000.0);
    x.sigmoid() * (1.0 + x * (-x).sigmoid())
}

/// 2 √(2/π)
const GELU_SCALE: f64 = 2.0 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2;

/// 2u, where u is the argument of the hyperbolic tangent in GELU's approximation.
fn gelu_inner(x: f64) -> f64 {
    GELU_SCALE * (x + 0.044715 * x * x * x)
}

/// ½x(1 + tanh u), as x σ(2u).
pub(super) fn gelu_tanh(x: f64) -> f64 {
    let below = if x < -30.0 { -30.0 } else { x };
    below * gelu_inner(x.within(30.0)).sigmoid()
}

/// The derivative of x σ(2u).
pub(super) fn gelu_tanh_slope(x: f64) -> f64 {
    let x = x.within(30.0);
    let (z, slope) = (gelu_inner(x), GELU_SCALE * (1.0 + 3.0 * 0.044715 * x * x));
    z.sigmoid() * (1.0 + x * slope * (-z).sigmoid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::excessive_precision)] // the tables keep the digits that were computed
    fn erf_in_f64() {
        // To 17 digits, computed with 25 digits.
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
            assert!((erf(x) - truth).abs() <= 2.3e-16 * truth, "erf({x}) = {:?}, not {truth:?}", erf(x));
            assert_eq!(erf(-x), -erf(x));
        }
        assert_eq!((erf(0.0), erf(1e-300), erf(f64::INFINITY)), (0.0, 1e-300 * FRAC_2_SQRT_PI, 1.0));
        assert!(erf(f64::NAN).is_nan());
    }
}
