//! Activation functions, and their gradients g · f′(x), in one pass over memory each, as [`Activation`] defines them
//! and to the dtype's precision; and the unary functions that candle lacks ([`unary`]).

use super::launch::{Grid, Launch, Scalar};
use super::number::{Number, Real, for_float};
use super::source::{FLOATS, Kernel};
use candle_core::{Result, Tensor, bail};
use num_traits::Float;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
use taper_backend::{Activation, UnaryOp};

pub(crate) const KERNEL: Kernel = Kernel {
    name: "activation",
    text: include_str!("activation.cu"),
    dtypes: FLOATS,
    entries: &["activation", "activation_grad"],
};

/// The function's number in `activation.cu`, and its two parameters.
fn number(f: Activation) -> [Scalar; 3] {
    let (which, a, b) = match f {
        Activation::Identity => (0, 0.0, 0.0),
        Activation::Relu => (1, 0.0, 0.0),
        Activation::LeakyRelu { negative_slope } => (2, negative_slope, 0.0),
        Activation::Elu { alpha } => (3, alpha, 0.0),
        Activation::Gelu => (4, 0.0, 0.0),
        Activation::GeluTanh => (5, 0.0, 0.0),
        Activation::Silu => (6, 0.0, 0.0),
        Activation::Sigmoid => (7, 0.0, 0.0),
        Activation::Tanh => (8, 0.0, 0.0),
        Activation::Softplus { beta, threshold } => (9, beta, threshold),
        Activation::Hardswish => (10, 0.0, 0.0),
    };
    [Scalar::Int(which), Scalar::Real(a), Scalar::Real(b)]
}

/// 1 / (1 + e⁻ˣ) without overflow, to full relative precision on both sides.
fn sigmoid<A: Real>(x: A) -> A {
    let e = (-Float::abs(x)).exp();
    (if x < A::zero() { e } else { A::one() }) / (A::one() + e)
}

/// sigmoid x · (1 − sigmoid x), likewise.
fn sigmoid_slope<A: Real>(x: A) -> A {
    let e = (-Float::abs(x)).exp();
    e / ((A::one() + e) * (A::one() + e))
}

/// x clamped to −bound..bound; NaN stays NaN.
fn within<A: Real>(x: A, bound: f64) -> A {
    let (low, high) = (A::of(-bound), A::of(bound));
    if x > high {
        high
    } else if x < low {
        low
    } else {
        x
    }
}

/// x, at least −1000. It is multiplied by a factor that is 0 there, and −∞ · 0 would be NaN.
fn not_infinitely_low<A: Real>(x: A) -> A {
    if x < A::of(-1000.0) { A::of(-1000.0) } else { x }
}

/// e^(−f x²), with a correction for the rounding of x²: the exponential would multiply that relative error by f x².
fn exp_neg_square<A: Real>(f: f64, x: A) -> A {
    let (f, near) = (A::of(f), within(x, 40.0));
    let square = near * near;
    let rest = near.mul_add(near, -square);
    let power = (-f * square).exp();
    power - power * (f * rest)
}

/// The density of the standard normal distribution.
fn normal_pdf<A: Real>(x: A) -> A {
    A::of(0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2) * exp_neg_square(0.5, x)
}

/// The standard normal distribution function: erfc(s) / 2 with s = −x / √2. The rounding error of s is corrected to
/// first order, with the derivative of erfc.
fn normal<A: Real>(x: A) -> A {
    let c = A::of(FRAC_1_SQRT_2);
    // 1 / √2 less c: f64 itself lacks 4.8e-17 of it.
    let more = A::of(FRAC_1_SQRT_2 - c.to_f64() - 4.833_646_656_726_457e-17);
    let near = within(x, 40.0);
    let s = -near * c;
    let rest = (-near).mul_add(c, -s) - near * more;
    A::of(0.5) * s.erfc() - rest * (A::of(0.5 * FRAC_2_SQRT_PI) * (-s * s).exp())
}

/// `g` for x > 0, `below` for x ≤ 0, NaN if x is NaN.
fn gate<A: Real>(x: A, g: A, below: A) -> A {
    if x > A::zero() {
        g
    } else if x <= A::zero() {
        below
    } else {
        x
    }
}

/// 2 √(2/π)
const GELU_SCALE: f64 = 2.0 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2;

/// 2u, where tanh u is the hyperbolic tangent in GELU's approximation: ½ (1 + tanh u) = sigmoid 2u.
fn gelu_inner<A: Real>(x: A) -> A {
    let x = within(x, 30.0);
    A::of(GELU_SCALE) * (x + A::of(0.044715) * x * x * x)
}

fn value<A: Real>(f: Activation, x: A) -> A {
    let (zero, three) = (A::zero(), A::of(3.0));
    match f {
        Activation::Identity => x,
        Activation::Relu if x > zero || Float::is_nan(x) => x,
        Activation::Relu => zero,
        Activation::LeakyRelu { .. } | Activation::Elu { .. } if x > zero => x,
        Activation::LeakyRelu { negative_slope } => A::of(negative_slope) * x,
        Activation::Elu { alpha } => A::of(alpha) * x.exp_m1(),
        Activation::Gelu => not_infinitely_low(x) * normal(x),
        Activation::GeluTanh => not_infinitely_low(x) * sigmoid(gelu_inner(x)),
        Activation::Silu => not_infinitely_low(x) * sigmoid(x),
        Activation::Sigmoid => sigmoid(x),
        Activation::Tanh => x.tanh(),
        Activation::Softplus { beta, threshold } => {
            let z = A::of(beta) * x;
            if z > A::of(threshold) || Float::is_nan(x) {
                return x;
            }
            (Float::max(z, zero) + (-Float::abs(z)).exp().ln_1p()) / A::of(beta)
        }
        Activation::Hardswish if x <= -three => zero,
        Activation::Hardswish if x >= three => x,
        Activation::Hardswish => x * (x + three) / A::of(6.0),
    }
}

/// g · f′(x)
fn slope<A: Real>(f: Activation, x: A, g: A) -> A {
    let (zero, one, three) = (A::zero(), A::one(), A::of(3.0));
    match f {
        Activation::Identity => g,
        Activation::Relu => gate(x, g, zero),
        Activation::LeakyRelu { negative_slope } => gate(x, g, A::of(negative_slope) * g),
        Activation::Elu { .. } if x > zero => g,
        Activation::Elu { alpha } => g * (A::of(alpha) * x.exp()),
        Activation::Gelu => g * (normal(x) + within(x, 1000.0) * normal_pdf(x)),
        Activation::GeluTanh => {
            let z = gelu_inner(x);
            let inner = A::of(GELU_SCALE) * (one + A::of(3.0 * 0.044715) * x * x);
            // Beyond ±20 the second term is 0, but x² may overflow in it.
            let curve = if Float::abs(x) > A::of(20.0) { zero } else { x * sigmoid_slope(z) * inner };
            g * (sigmoid(z) + curve)
        }
        Activation::Silu => g * (sigmoid(x) * (one + within(x, 1000.0) * sigmoid(-x))),
        Activation::Sigmoid => g * sigmoid_slope(x),
        // 1 − tanh² x = 4 sigmoid′(2x), without cancellation
        Activation::Tanh => g * (A::of(4.0) * sigmoid_slope(x + x)),
        Activation::Softplus { beta, threshold } if A::of(beta) * x > A::of(threshold) => g,
        Activation::Softplus { beta, .. } => g * sigmoid(A::of(beta) * x),
        Activation::Hardswish if x <= -three => zero,
        Activation::Hardswish if x >= three => g,
        Activation::Hardswish => g * ((x + x + three) / A::of(6.0)),
    }
}

fn launch<'a>(
    entry: &'static str,
    inputs: &'a [Option<&'a Tensor>],
    scalars: &'a [Scalar; 4],
    x: &Tensor,
) -> Launch<'a> {
    Launch { kernel: &KERNEL, entry, dtype: x.dtype(), inputs, scalars, grid: Grid::Pieces(x.elem_count()) }
}

/// f(x)
pub(crate) fn forward(f: Activation, x: &Tensor) -> Result<Tensor> {
    let [which, a, b] = number(f);
    let (inputs, scalars) = ([Some(x)], [Scalar::count(x.elem_count()), which, a, b]);
    for_float!("activation", x.dtype(), T => launch("activation", &inputs, &scalars, x).run::<T>(x.shape(), |host, y| {
        y.iter_mut().zip(host.get::<T>(0)?).for_each(|(y, x)| *y = T::narrow(value(f, x.wide())));
        Ok(())
    }))
}

/// The number of a unary function in `activation.cu`, and the function itself.
type Function<A> = (i64, fn(A) -> A);

/// The unary function `op`; `None` if this file lacks it.
fn function<A: Real>(op: UnaryOp) -> Option<Function<A>> {
    Some(match op {
        UnaryOp::Sigmoid => (7, sigmoid),
        UnaryOp::Expm1 => (11, Float::exp_m1),
        UnaryOp::ExpNegSquare => (12, |x| exp_neg_square(1.0, x)),
        UnaryOp::NormalCdf => (13, normal),
        UnaryOp::NormalPdf => (14, normal_pdf),
        UnaryOp::Atan => (15, Float::atan),
        _ => return None,
    })
}

/// A unary function that candle lacks, or computes with less than the dtype's precision.
pub(crate) fn unary(op: UnaryOp, x: &Tensor) -> Result<Tensor> {
    let Some((which, _)) = function::<f64>(op) else { bail!("{op:?} has no kernel here") };
    let inputs = [Some(x)];
    let scalars = [Scalar::count(x.elem_count()), Scalar::Int(which), Scalar::Real(0.0), Scalar::Real(0.0)];
    for_float!("unary", x.dtype(), T => launch("activation", &inputs, &scalars, x).run::<T>(x.shape(), |host, y| {
        if let Some((_, f)) = function(op) {
            y.iter_mut().zip(host.get::<T>(0)?).for_each(|(y, x)| *y = T::narrow(f(x.wide())));
        }
        Ok(())
    }))
}

/// g · f′(x), of `x` and `g` of one shape and dtype.
pub(crate) fn backward(f: Activation, x: &Tensor, g: &Tensor) -> Result<Tensor> {
    let [which, a, b] = number(f);
    let (inputs, scalars) = ([Some(x), Some(g)], [Scalar::count(x.elem_count()), which, a, b]);
    let launch = launch("activation_grad", &inputs, &scalars, x);
    for_float!("activation_grad", x.dtype(), T => launch.run::<T>(x.shape(), |host, y| {
        for ((y, x), g) in y.iter_mut().zip(host.get::<T>(0)?).zip(host.get::<T>(1)?) {
            *y = T::narrow(slope(f, x.wide(), g.wide()));
        }
        Ok(())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// Known answers, computed with 40 digits. GELU keeps its relative precision far into its tail.
    #[test]
    fn known_answers_in_f64() -> Result<()> {
        let x = Tensor::new(&[-6.0, -1.0, 0.5], &Device::Cpu)?;
        let known = [-5.919525870226189e-9, -0.158655253931457, 0.3457312306370065];
        let found = forward(Activation::Gelu, &x)?.to_vec1::<f64>()?;
        assert!(found.iter().zip(known).all(|(a, b)| (a - b).abs() < 1e-14 * b.abs()), "{found:?}");
        let slopes = backward(Activation::Tanh, &x, &x.ones_like()?)?.to_vec1::<f64>()?;
        let known = [2.45765474053327e-5, 0.4199743416140261, 0.7864477329659274];
        assert!(slopes.iter().zip(known).all(|(a, b)| (a - b).abs() < 1e-14 * b), "{slopes:?}");
        Ok(())
    }

    #[test]
    fn a_view_of_nothing_that_begins_behind_its_storage() -> Result<()> {
        let x = Tensor::zeros((0, 8), candle_core::DType::F32, &Device::Cpu)?.narrow(1, 4, 4)?;
        assert_eq!(forward(Activation::Sigmoid, &x)?.dims(), [0, 4]);
        assert_eq!(backward(Activation::Sigmoid, &x, &x)?.dims(), [0, 4]);
        Ok(())
    }

    /// The derivatives at points where the definition has to choose one.
    #[test]
    fn derivatives_at_kinks() -> Result<()> {
        let x = Tensor::new(&[-3f32, -0.0, 0.0, 3.0], &Device::Cpu)?;
        let at = |f| backward(f, &x, &x.ones_like()?)?.to_vec1::<f32>();
        assert_eq!(at(Activation::Relu)?, [0.0, 0.0, 0.0, 1.0]);
        assert_eq!(at(Activation::LeakyRelu { negative_slope: 0.25 })?, [0.25, 0.25, 0.25, 1.0]);
        assert_eq!(at(Activation::Hardswish)?, [0.0, 0.5, 0.5, 1.0]);
        Ok(())
    }
}
