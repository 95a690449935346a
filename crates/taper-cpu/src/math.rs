//! Elementary functions of one number. Those of f32 are written so that the compiler vectorises loops over them.
//!
//! The f32 functions are in [`single`], those of f64 that the standard library lacks in [`double`]. The example
//! `accuracy` of `taper-tensor` measures their errors over all f32 values; the table is in `docs/accuracy.md`.

mod double;
mod single;

use crate::storage::Stored;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// The arithmetic and functions that kernels use, for f32 and f64.
pub(crate) trait Float:
    Stored
    + PartialOrd
    + Default
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
    /// eˣ for x ≤ 0, 0 where it would be subnormal in f32; unspecified for other x.
    fn exp_not_above_zero(self) -> Self;
    /// eˣ − 1.
    fn exp_m1(self) -> Self;
    /// eˣ − 1 for x < 0; unspecified for other x.
    fn exp_m1_below_zero(self) -> Self;
    /// e^(−x²).
    fn exp_neg_square(self) -> Self;
    fn ln(self) -> Self;
    fn ln_1p(self) -> Self;
    fn sqrt(self) -> Self;
    fn sin(self) -> Self;
    fn cos(self) -> Self;
    fn atan(self) -> Self;
    fn tanh(self) -> Self;
    fn erf(self) -> Self;
    /// Φ, the normal distribution function.
    fn normal_cdf(self) -> Self;
    /// φ = Φ′.
    fn normal_pdf(self) -> Self;
    /// x Φ(x).
    fn gelu(self) -> Self;
    /// Φ(x) + x φ(x): the derivative of x Φ(x).
    fn gelu_slope(self) -> Self;
    /// ½x(1 + tanh(√(2/π)(x + 0.044715x³))).
    fn gelu_tanh(self) -> Self;
    /// The derivative of [`Float::gelu_tanh`].
    fn gelu_tanh_slope(self) -> Self;
    /// x σ(x).
    fn silu(self) -> Self;
    /// σ(x) (1 + x (1 − σ(x))), the derivative of x σ(x).
    fn silu_slope(self) -> Self;
    /// ln(1 + e^(βx)) / β for β > 0.
    fn softplus(self, beta: f64) -> Self;
    /// σ(βx), the derivative of ln(1 + e^(βx)) / β.
    fn sigmoid_scaled(self, beta: f64) -> Self;
    fn floor(self) -> Self;
    fn powf(self, y: Self) -> Self;
    fn finite(self) -> bool;

    /// σ(x) = 1 / (1 + e⁻ˣ), to full relative precision for negative and positive x.
    #[inline(always)]
    fn sigmoid(self) -> Self {
        let e = (-self.abs()).exp();
        let numerator = if self < Self::ZERO { e } else { Self::ONE };
        numerator / (Self::ONE + e)
    }

    /// σ(x) (1 − σ(x)), the derivative of σ(x), to full relative precision for negative and positive x.
    #[inline(always)]
    fn sigmoid_slope(self) -> Self {
        let e = (-self.abs()).exp();
        e / ((Self::ONE + e) * (Self::ONE + e))
    }

    /// Clamps to −`bound` to `bound`; NaN stays NaN.
    #[inline(always)]
    fn within(self, bound: f64) -> Self {
        let (low, high) = (Self::of(-bound), Self::of(bound));
        let x = if self > high { high } else { self };
        if x < low { low } else { x }
    }

    /// The larger of two numbers; NaN if either is NaN.
    #[inline(always)]
    fn larger(self, y: Self) -> Self {
        if self > y || self.is_nan() { self } else { y }
    }

    /// The smaller of two numbers; NaN if either is NaN.
    #[inline(always)]
    fn smaller(self, y: Self) -> Self {
        if self < y || self.is_nan() { self } else { y }
    }

    #[inline(always)]
    #[allow(clippy::eq_op)] // only NaN differs from itself
    fn is_nan(self) -> bool {
        self != self
    }
}

macro_rules! float {
    ($t:ident, $module:ident: $($ours:ident)*; std: $($theirs:ident)*) => {
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
            fn powf(self, y: Self) -> Self {
                $t::powf(self, y)
            }
            #[inline(always)]
            fn finite(self) -> bool {
                $t::is_finite(self)
            }
            #[inline(always)]
            fn softplus(self, beta: f64) -> Self {
                $module::softplus(self, beta)
            }
            #[inline(always)]
            fn sigmoid_scaled(self, beta: f64) -> Self {
                $module::sigmoid_scaled(self, beta)
            }
            $(#[inline(always)]
            fn $ours(self) -> Self {
                $module::$ours(self)
            })*
            $(#[inline(always)]
            fn $theirs(self) -> Self {
                $t::$theirs(self)
            })*
        }
    };
}
float!(f32, single: exp exp_not_above_zero exp_m1 exp_m1_below_zero exp_neg_square atan tanh erf normal_cdf normal_pdf gelu gelu_slope gelu_tanh
    gelu_tanh_slope silu silu_slope;
    std: abs ln ln_1p sqrt sin cos floor);
float!(f64, double: exp_not_above_zero exp_m1_below_zero exp_neg_square erf normal_cdf normal_pdf gelu gelu_slope gelu_tanh gelu_tanh_slope silu
    silu_slope;
    std: abs exp exp_m1 atan tanh ln ln_1p sqrt sin cos floor);
