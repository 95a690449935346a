//! Functions of f32, free of branches and calls, so that a loop over them vectorises.

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

/// 2ⁿ for n from −126 to 127.
#[inline(always)]
fn two_to(n: i32) -> f32 {
    f32::from_bits((n.wrapping_add(127) as u32) << 23)
}

/// n = round(x / ln 2) and eʳ − 1 with r = a + b − n ln 2, for x ≈ a + b, b so small beside a that their sum would not
/// hold it (Cody and Waite 1980, chapter 6); by the polynomial of Moshier's Cephes library (`expf`).
#[inline(always)]
fn reduced(x: f32, a: f32, b: f32) -> (i32, f32) {
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    // ln 2 in two parts, the first with so few bits that n times it is exact.
    let r = (a - n * 0.693_359_4) - n * -2.121_944_4e-4 + b;
    let tail = polynomial(r, [0.5, 1.666_666_5e-1, 4.166_579_6e-2, 8.333_452e-3, 1.398_199_9e-3, 1.987_569_1e-4]);
    (shifted.to_bits() as i32 - ROUND.to_bits() as i32, r + r * r * tail)
}

/// A power of e as a product. 2ⁿ is in two factors, since n exceeds the exponent range of f32 at both ends.
#[derive(Clone, Copy)]
struct Power {
    head: f32,
    scale: f32,
}

impl Power {
    /// e^(a + b) for x ≈ a + b from −130 to 89.
    #[inline(always)]
    fn of(x: f32, a: f32, b: f32) -> Self {
        let (n, rest) = reduced(x, a, b);
        let half = n >> 1;
        Self { head: (1.0 + rest) * two_to(half), scale: two_to(n.wrapping_sub(half)) }
    }

    /// e^(−f x²) for 0 ≤ x ≤ 15 and f either 1, up to 10.4, or ½. The first 12 bits of x have an exact square; the rest
    /// of the square is added to the low part, where it is not lost.
    #[inline(always)]
    fn of_minus_square(f: f32, x: f32) -> Self {
        let head = f32::from_bits(x.to_bits() & 0xFFFF_F000);
        Self::of(-(f * x * x), -(f * head * head), -(f * (x - head) * (x + head)))
    }

    /// The product of the power with a moderate `y`, rounded once if it is subnormal.
    #[inline(always)]
    fn times(self, y: f32) -> f32 {
        y * self.head * self.scale
    }

    #[inline(always)]
    fn value(self) -> f32 {
        self.head * self.scale
    }
}

/// eˣ.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Beyond these bounds the result is infinite or zero. The comparisons are false for NaN, so NaN stays NaN.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -105.0 { -105.0 } else { x };
    Power::of(x, x, 0.0).value()
}

/// eˣ for x ≤ 0, 0 where it would be subnormal; unspecified for other x.
#[inline(always)]
pub(super) fn exp_not_above_zero(x: f32) -> f32 {
    // At −88 the power of two is 2⁻¹²⁷, whose bits are those of 0.
    let x = if x < -88.0 { -88.0 } else { x };
    let (n, q) = reduced(x, x, 0.0);
    (1.0 + q) * two_to(n)
}

/// eˣ − 1: with eˣ = 2ⁿ (1 + q) it is 2ⁿ (q + (1 − 2⁻ⁿ)).
#[inline(always)]
pub(super) fn exp_m1(x: f32) -> f32 {
    // Below −18 the result is −1.
    let z = if x > 89.0 { 89.0 } else { x };
    let z = if z < -18.0 { -18.0 } else { z };
    let (n, q) = reduced(z, z, 0.0);
    let half = n >> 1;
    // From n = 30 on, 2⁻ⁿ is negligible.
    let one = 1.0 - two_to(-(if n > 30 { 30 } else { n }));
    ((q + one) * two_to(half) * two_to(n.wrapping_sub(half))).copysign(x)
}

/// eˣ − 1 for x < 0; unspecified for other x.
#[inline(always)]
pub(super) fn exp_m1_below_zero(x: f32) -> f32 {
    let z = if x < -18.0 { -18.0 } else { x };
    let (n, q) = reduced(z, z, 0.0);
    let power = two_to(n);
    q * power + (power - 1.0)
}

/// e^(−x²).
#[inline(always)]
pub(super) fn exp_neg_square(x: f32) -> f32 {
    let a = if x.abs() > 10.4 { 10.4 } else { x.abs() };
    Power::of_minus_square(1.0, a).value()
}

/// arctan x, to 1.9 ulp: x > 1 + √2 is reduced by arctan x = π/2 − arctan 1/x, x > √2 − 1 by π/4 + arctan (x − 1)/(x + 1), so
/// that a minimax polynomial of |w| ≤ √2 − 1 remains, within 7 · 10⁻¹⁰.
#[inline(always)]
pub(super) fn atan(x: f32) -> f32 {
    use std::f32::consts::{FRAC_PI_2, FRAC_PI_4};
    // What f32 lacks of π/2.
    const REST: f32 = -4.371_139e-8;
    let a = x.abs();
    let (far, middle) = (a > 2.414_213_7, a > 0.414_213_57);
    let numerator = select(far, -1.0, select(middle, a - 1.0, a));
    let denominator = select(far, a, select(middle, a + 1.0, 1.0));
    let w = numerator / denominator;
    let z = w * w;
    let tail = polynomial(z, [-0.333_333_16, 0.199_984_91, -0.142_438_71, 0.105_961_9, -0.060_839_7]);
    let offset = select(far, FRAC_PI_2, select(middle, FRAC_PI_4, 0.0));
    let rest = select(far, REST, select(middle, 0.5 * REST, 0.0));
    (offset + (w + (w * z * tail + rest))).copysign(x)
}

/// tanh x = (e²ˣ − 1) / (e²ˣ + 1).
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let a = if x.abs() > 20.0 { 20.0 } else { x.abs() };
    let e = exp_m1(a + a);
    (e / (e + 2.0)).copysign(x)
}

/// e^−|βx|, to full relative precision: the first 12 bits of both have an exact product, and the rest of the product is
/// added to the low part, where it is not lost.
#[inline(always)]
fn exp_neg_scaled(x: f32, beta: f64) -> f32 {
    // Bounds |βx| by 128; the limit is finite even if β is tiny.
    let limit = (128.0 / beta).min(1e38) as f32;
    let b = if x.abs() > limit { limit } else { x.abs() };
    let head = |x: f32| f32::from_bits(x.to_bits() & 0xFFFF_F000);
    let beta_head = head(beta as f32);
    let beta_rest = (beta - f64::from(beta_head)) as f32;
    let first = -(beta_head * head(b));
    let rest = -(beta_head * (b - head(b)) + beta_rest * b);
    Power::of(first + rest, first, rest).value()
}

/// ln(1 + e) for 0 ≤ e ≤ 1: 2 atanh s with s = e / (2 + e), by its odd polynomial.
#[inline(always)]
fn log1p_of_fraction(e: f32) -> f32 {
    let s = (e + e) / (2.0 + e); // 2s
    let z = 0.25 * s * s;
    s + s * z * polynomial(z, [3.333_333_7e-1, 1.999_943_9e-1, 1.430_844_2e-1, 1.071_382_8e-1, 1.215_047e-1])
}

/// ln(1 + e^(βx)) / β = max(x, 0) + ln(1 + e^−|βx|) / β, which does not overflow.
#[inline(always)]
pub(super) fn softplus(x: f32, beta: f64) -> f32 {
    let above = if x < 0.0 { 0.0 } else { x };
    above + log1p_of_fraction(exp_neg_scaled(x, beta)) / (beta as f32)
}

/// σ(βx).
#[inline(always)]
pub(super) fn sigmoid_scaled(x: f32, beta: f64) -> f32 {
    let e = exp_neg_scaled(x, beta);
    select(x < 0.0, e, 1.0) / (1.0 + e)
}

/// x σ(x).
#[inline(always)]
pub(super) fn silu(x: f32) -> f32 {
    let a = if x.abs() > 128.0 { -128.0 } else { -x.abs() };
    let power = Power::of(a, a, 0.0);
    select(x < 0.0, power.times(a), x) / (1.0 + power.value())
}

/// σ(x) (1 + x (1 − σ(x))).
#[inline(always)]
pub(super) fn silu_slope(x: f32) -> f32 {
    let a = if x.abs() > 128.0 { -128.0 } else { -x.abs() };
    swish_slope(x, a.copysign(x), Power::of(a, a, 0.0))
}

/// σ(z) (1 + w (1 − σ(z))) for z of the sign of x and the `power` e = e^−|z|: e (1 + e + w) / (1 + e)² below 0,
/// (1 + e + e w) / (1 + e)² above.
#[inline(always)]
fn swish_slope(x: f32, w: f32, power: Power) -> f32 {
    let (e, w) = (power.value(), 1.0 + w);
    let numerator = select(x < 0.0, power.times(w + e), 1.0 + e * w);
    numerator / ((1.0 + e) * (1.0 + e))
}

/// |x|, at most 11.5: beyond it GELU's approximation is x or 0. NaN stays NaN.
#[inline(always)]
fn gelu_range(x: f32) -> f32 {
    if x.abs() > 11.5 { 11.5 } else { x.abs() }
}

/// e^−z for z = b (c + d b²), c = 2 √(2/π), d = 0.044715 c, twice the argument of the hyperbolic tangent in GELU's
/// approximation. The relative error of e^−z is the absolute error of z, so z is computed in two parts: products of the
/// first 8 bits of b, of its square's first 16, and of the first 8 of d are exact.
#[inline(always)]
fn gelu_power(b: f32) -> Power {
    const C: [f32; 2] = [1.595_769_2, -4.534_068e-8];
    const D: [f32; 2] = [0.071_289_06, 6.575_377_5e-5];
    let head = f32::from_bits(b.to_bits() & 0xFFFF_0000);
    let tail = b - head;
    let square = head * head;
    let cubic = D[0] * square;
    let rest = D[1] * square + (D[0] + D[1]) * (tail * (b + head));
    let first = f32::from_bits((C[0] + cubic).to_bits() & 0xFFFF_FF00);
    let second = ((cubic - first) + C[0]) + (rest + C[1]);
    let (z, more) = (-(head * first), -(tail * first + b * second));
    Power::of(z + more, z, more)
}

/// ½x(1 + tanh u), as x σ(2u).
#[inline(always)]
pub(super) fn gelu_tanh(x: f32) -> f32 {
    let b = gelu_range(x);
    let power = gelu_power(b);
    select(x < 0.0, power.times(-b), x) / (1.0 + power.value())
}

/// The derivative of x σ(2u).
#[inline(always)]
pub(super) fn gelu_tanh_slope(x: f32) -> f32 {
    let b = gelu_range(x);
    let w = b * (1.595_769_2 + 0.214_064_45 * b * b);
    swish_slope(x, w.copysign(x), gelu_power(b))
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
fn erfcx(a: f32) -> f32 {
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

/// erf x. The polynomials behind it were fitted by least squares reweighted towards the smallest maximum.
#[inline(always)]
pub(super) fn erf(x: f32) -> f32 {
    let a = if x.abs() > 10.0 { 10.0 } else { x.abs() };
    let far = (1.0 - Power::of_minus_square(1.0, a).value() * erfcx(a)).copysign(x);
    select(a < 1.0, erf_near(x), far)
}

/// |x|, at most 15: beyond it the tail of the normal distribution is 0. NaN stays NaN.
#[inline(always)]
fn normal_range(x: f32) -> f32 {
    if x.abs() > 15.0 { 15.0 } else { x.abs() }
}

/// Φ(−b) / e^(−b² / 2) = t · p(t) with t = 1 / (1 + 0.35 b), p fitted as those of erf.
#[inline(always)]
fn normal_tail(b: f32) -> f32 {
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
    t * polynomial(t, P)
}

/// Φ(x).
#[inline(always)]
pub(super) fn normal_cdf(x: f32) -> f32 {
    let b = normal_range(x);
    let tail = Power::of_minus_square(0.5, b).times(normal_tail(b));
    select(x > 0.0, 1.0 - tail, tail)
}

/// φ(x).
#[inline(always)]
pub(super) fn normal_pdf(x: f32) -> f32 {
    Power::of_minus_square(0.5, normal_range(x)).times(FRAC_1_SQRT_TAU)
}

/// x Φ(x).
#[inline(always)]
pub(super) fn gelu(x: f32) -> f32 {
    let b = normal_range(x);
    let below = Power::of_minus_square(0.5, b).times(b * normal_tail(b));
    // At −0 and 0 the result is x itself.
    select(x >= 0.0, x - below, -below)
}

/// Φ(x) + x φ(x), with one power for both. (The sum crosses 0 at −0.75, and keeps no relative precision there.)
#[inline(always)]
pub(super) fn gelu_slope(x: f32) -> f32 {
    let b = normal_range(x);
    // Φ(−b) − b φ(b) for x ≤ 0, 1 minus that for x > 0.
    let slope = Power::of_minus_square(0.5, b).times(normal_tail(b) - b * FRAC_1_SQRT_TAU);
    select(x > 0.0, 1.0 - slope, slope)
}

/// 1 / √(2π)
const FRAC_1_SQRT_TAU: f32 = 0.398_942_3;

#[cfg(test)]
mod tests {
    use super::super::{Float, double};
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
            (worst(exp, f64::exp, -87.0, 88.7), 1.5e-7),
            (worst(exp, f64::exp, -1.0, 1.0), 1.5e-7),
            (worst(exp_not_above_zero, f64::exp, -87.0, 0.0), 1.5e-7),
            (worst(atan, f64::atan, -10.0, 10.0), 1.9e-7),
            (worst(atan, f64::atan, -1e-3, 1e-3), 1e-7),
            (worst(tanh, f64::tanh, -10.0, 10.0), 3e-7),
            (worst(tanh, f64::tanh, -1e-3, 1e-3), 3e-7),
            (worst(erf, double::erf, -5.0, 5.0), 2.5e-7),
            (worst(erf, double::erf, -1e-3, 1e-3), 2.5e-7),
            (worst(<f32 as Float>::sigmoid, sigmoid, -87.0, 87.0), 4e-7),
            (worst(normal_cdf, double::normal_cdf, -12.0, 9.0), 1e-6),
            (worst(|x| 1.0 + gelu_slope(x), |x| 1.0 + double::gelu_slope(x), -20.0, 20.0), 3e-7),
            // Left of its zero at −0.75 the function has full relative precision again.
            (worst(gelu_slope, double::gelu_slope, -12.0, -1.5), 4e-6),
        ] {
            assert!(found.0 < bound, "{found:?} over {bound}");
        }
    }

    #[test]
    fn f32_edges() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::INFINITY), f32::INFINITY);
        assert_eq!(exp(89.0), f32::INFINITY);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert!(exp(-100.0) > 0.0, "subnormal");
        let below = [0.0, -0.0, -88.0, -1e30, f32::NEG_INFINITY].map(exp_not_above_zero);
        assert_eq!(below, [1.0, 1.0, 0.0, 0.0, 0.0]);
        assert!(exp_not_above_zero(f32::NAN).is_nan() && exp_not_above_zero(-87.7) < 1e-37);
        assert_eq!((tanh(f32::INFINITY), tanh(-40.0), tanh(0.0)), (1.0, -1.0, 0.0));
        let right = std::f32::consts::FRAC_PI_2;
        assert_eq!((atan(f32::INFINITY), atan(-1e30), atan(1e-40)), (right, -right, 1e-40));
        assert!(atan(-0.0).is_sign_negative() && atan(-0.0) == 0.0);
        assert_eq!((erf(f32::INFINITY), erf(-40.0), erf(0.0)), (1.0, -1.0, 0.0));
        assert_eq!((Float::sigmoid(f32::INFINITY), Float::sigmoid(f32::NEG_INFINITY)), (1.0, 0.0));
        assert_eq!((normal_cdf(f32::INFINITY), normal_cdf(0.0), normal_cdf(1e30)), (1.0, 0.5, 1.0));
        assert!((0.0..1e-40).contains(&normal_cdf(-1e30)));
        assert_eq!((gelu_slope(f32::INFINITY), gelu_slope(0.0), gelu_slope(1e30)), (1.0, 0.5, 1.0));
        for f in [exp, atan, tanh, erf, normal_cdf, gelu_slope, <f32 as Float>::sigmoid] {
            assert!(f(f32::NAN).is_nan());
        }
    }
}
