//! The activation functions y = f(x), element by element, and their derivatives.
//!
//! Each function is one kernel where the backend offers it, else composed from simpler operations; gradients of
//! gradients always use the composed version. Applied to a convolution, a linear layer or a batch norm whose value is
//! still pending, the function is fused with it.

use super::shorthand::{fused_gradients, in_f32, is_half, plain, unary, with_rule, with_slope, within};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::pending::Pending;
use crate::tape::{Rule, no_grad};
use crate::tensor::Value;
use taper_backend::{Activation, Buffer, Error, FusedOp, Result, Saved, UnaryOp};

impl Tensor {
    /// f(x), element by element, for floats. An error when the beta of a softplus is not over 0.
    pub fn activation(&self, f: Activation) -> Result<Tensor> {
        check::float(name(f), self)?;
        if let Activation::Softplus { beta, .. } = f
            && (beta.is_nan() || beta <= 0.0)
        {
            return Err(Error::argument("softplus", format!("beta must be over 0, came as {beta}")));
        }
        if f == Activation::Identity {
            return Ok(self.clone());
        }
        let joined: Option<Box<dyn Pending>> = self.extend_pending(|pending| pending.then_activation(self, f));
        let value = match joined {
            Some(pending) => Value::Pending(self.shape().clone(), self.dtype(), pending),
            None => Value::Ready(forward(self, f)?),
        };
        Ok(Tensor::record(name(f), value, &[self], || {
            let x = self.clone();
            let backward = move |g: &Tensor, needs: &[bool]| {
                fused_gradients(&FusedOp::Activation { x: x.buffer()?, f }, g, &Saved::nothing(), needs)
            };
            Rule::kernel(backward, &[self], move |x| composed(&x[0], f))
        }))
    }

    /// max(x, 0); the derivative at 0 is 0.
    pub fn relu(&self) -> Result<Tensor> {
        self.activation(Activation::Relu)
    }

    /// 1 / (1 + e⁻ˣ).
    pub fn sigmoid(&self) -> Result<Tensor> {
        self.activation(Activation::Sigmoid)
    }

    /// tanh x.
    pub fn tanh(&self) -> Result<Tensor> {
        self.activation(Activation::Tanh)
    }
}

/// The value alone, not recorded: by a kernel where the backend has one, else composed.
pub(super) fn forward(x: &Tensor, f: Activation) -> Result<Buffer> {
    match x.device().fused(&FusedOp::Activation { x: x.buffer()?, f })? {
        Some(output) => Ok(output.y),
        None => no_grad(|| composed(x, f))?.into_buffer(),
    }
}

/// f in simpler operations, with a derivative that can be differentiated again. Comparisons are arranged so that NaN
/// propagates. The side of a `select` that is not chosen may be infinite, but is never multiplied by 0, which would
/// give NaN.
fn composed(x: &Tensor, f: Activation) -> Result<Tensor> {
    let rounds_once = matches!(f, Activation::Identity | Activation::Relu | Activation::LeakyRelu { .. });
    if is_half(x) && !rounds_once {
        return in_f32(x, |x| x.activation(f));
    }
    let zero = x.scalar_like(0.0)?;
    let name = name(f);
    match f {
        Activation::Identity => Ok(x.clone()),
        Activation::Relu => {
            with_rule(name, x, || x.le_scalar(0.0)?.select(&zero, x), |g, x| gate(x, g, &g.scalar_like(0.0)?))
        }
        Activation::LeakyRelu { negative_slope } => with_rule(
            name,
            x,
            || x.gt_scalar(0.0)?.select(x, &x.mul_scalar(negative_slope)?),
            move |g, x| gate(x, g, &g.mul_scalar(negative_slope)?),
        ),
        Activation::Elu { alpha } => with_rule(
            name,
            x,
            || x.gt_scalar(0.0)?.select(x, &x.expm1()?.mul_scalar(alpha)?),
            // Positive x are replaced by 0 before eˣ, so that the side that is not chosen cannot overflow.
            move |g, x| {
                let slope = x.gt_scalar(0.0)?.select(&x.scalar_like(0.0)?, x)?.exp()?.mul_scalar(alpha)?;
                gate(x, g, &g.mul(&slope)?)
            },
        ),
        Activation::Gelu => with_slope(
            name,
            x,
            || not_infinitely_low(x)?.mul(&x.normal_cdf()?),
            |x| x.normal_cdf()?.add(&within(x, 1000.0)?.mul(&x.normal_pdf()?)?),
        ),
        // ½ (1 + tanh u) = σ(2u)
        Activation::GeluTanh => with_slope(
            name,
            x,
            || not_infinitely_low(x)?.mul(&sigmoid(&gelu_inner(x)?)?),
            |x| {
                let near = within(x, 30.0)?;
                let inner = near.mul(&near)?.mul_scalar(3.0 * 0.044715)?.add_scalar(1.0)?.mul_scalar(GELU_SCALE)?;
                swish_slope(&gelu_inner(x)?, &near.mul(&inner)?)
            },
        ),
        Activation::Silu => {
            with_slope(name, x, || not_infinitely_low(x)?.mul(&sigmoid(x)?), |x| swish_slope(x, &within(x, 1000.0)?))
        }
        Activation::Sigmoid => sigmoid(x),
        Activation::Tanh => tanh(x),
        Activation::Softplus { beta, threshold } => with_slope(
            name,
            x,
            // ln(1 + eᶻ) = max(z, 0) + ln(1 + e^−|z|) does not overflow.
            || {
                let z = x.mul_scalar(beta)?;
                let small = z.abs()?.neg()?.exp()?.log1p()?.mul_scalar(1.0 / beta)?;
                z.gt_scalar(threshold)?.select(x, &x.maximum_scalar(0.0)?.add(&small)?)
            },
            move |x| {
                let z = x.mul_scalar(beta)?;
                z.gt_scalar(threshold)?.select(&z.scalar_like(1.0)?, &sigmoid(&z)?)
            },
        ),
        Activation::Hardswish => with_rule(
            name,
            x,
            || {
                let middle = x.mul(&x.add_scalar(3.0)?)?.mul_scalar(1.0 / 6.0)?;
                let upper = x.ge_scalar(3.0)?.select(x, &middle)?;
                x.le_scalar(-3.0)?.select(&zero, &upper)
            },
            |g, x| {
                let middle = g.mul(&x.add(x)?.add_scalar(3.0)?.mul_scalar(1.0 / 6.0)?)?;
                let upper = x.ge_scalar(3.0)?.select(g, &middle)?;
                x.le_scalar(-3.0)?.select(&g.scalar_like(0.0)?, &upper)
            },
        ),
    }
}

/// `above` where x > 0, `below` where it is not, NaN where x is.
fn gate(x: &Tensor, above: &Tensor, below: &Tensor) -> Result<Tensor> {
    x.gt_scalar(0.0)?.select(above, &x.le_scalar(0.0)?.select(below, &x.detach())?)
}

/// max(x, −1000): for a factor whose other factor is 0 below that, where 0 · −∞ would be NaN.
fn not_infinitely_low(x: &Tensor) -> Result<Tensor> {
    x.maximum_scalar(-1000.0)
}

/// 2 √(2/π)
const GELU_SCALE: f64 = 1.595_769_121_605_730_7;

/// 2u, for the tanh approximation of GELU, ½x(1 + tanh u). x is clamped to ±30: beyond, σ(2u) is 0 or 1.
fn gelu_inner(x: &Tensor) -> Result<Tensor> {
    let x = within(x, 30.0)?;
    let cubic = x.mul(&x)?.mul(&x)?.mul_scalar(0.044715)?;
    x.add(&cubic)?.mul_scalar(GELU_SCALE)
}

/// The derivative of x σ(z(x)), σ(z) (1 + w σ(−z)), for w = x z′(x).
fn swish_slope(z: &Tensor, w: &Tensor) -> Result<Tensor> {
    sigmoid(z)?.mul(&w.mul(&sigmoid(&z.neg()?)?)?.add_scalar(1.0)?)
}

/// σ(x).
fn sigmoid(x: &Tensor) -> Result<Tensor> {
    let y = unary("sigmoid", UnaryOp::Sigmoid, x)?;
    with_slope("sigmoid", x, || Ok(plain(x, y)), sigmoid_slope)
}

/// σ′(x) = σ(x) σ(−x), without the cancellation of 1 − σ(x). Its derivative is −σ′(x) tanh ½x.
fn sigmoid_slope(x: &Tensor) -> Result<Tensor> {
    let value = || plain(x, unary("sigmoid", UnaryOp::Sigmoid, x)?).mul(&sigmoid(&x.neg()?)?);
    with_slope("sigmoid′", x, value, |x| sigmoid_slope(x)?.mul(&tanh(&x.mul_scalar(-0.5)?)?))
}

/// tanh x.
fn tanh(x: &Tensor) -> Result<Tensor> {
    let y = unary("tanh", UnaryOp::Tanh, x)?;
    with_slope("tanh", x, || Ok(plain(x, y)), tanh_slope)
}

/// tanh′ x = 4 σ′(2x), without the cancellation of 1 − tanh² x. Its derivative is −2 tanh x · tanh′ x.
fn tanh_slope(x: &Tensor) -> Result<Tensor> {
    let value = || sigmoid_slope(&x.add(x)?)?.mul_scalar(4.0);
    with_slope("tanh′", x, value, |x| tanh(x)?.mul(&tanh_slope(x)?)?.mul_scalar(-2.0))
}

/// The function's name in error messages and in the cases of the gradient check.
fn name(f: Activation) -> &'static str {
    match f {
        Activation::Identity => "identity",
        Activation::Relu => "relu",
        Activation::LeakyRelu { .. } => "leaky_relu",
        Activation::Elu { .. } => "elu",
        Activation::Gelu => "gelu",
        Activation::GeluTanh => "gelu_tanh",
        Activation::Silu => "silu",
        Activation::Sigmoid => "sigmoid",
        Activation::Tanh => "tanh",
        Activation::Softplus { .. } => "softplus",
        Activation::Hardswish => "hardswish",
    }
}

pub(super) fn cases() -> Vec<Case> {
    let functions = [
        Activation::Relu,
        Activation::LeakyRelu { negative_slope: 0.1 },
        Activation::Elu { alpha: 1.3 },
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Silu,
        Activation::Sigmoid,
        Activation::Tanh,
        Activation::Softplus { beta: 1.5, threshold: 20.0 },
        Activation::Hardswish,
    ];
    let mut cases: Vec<Case> = functions
        .into_iter()
        .map(|f| Case::new(name(f), move |x| x[0].activation(f)).values([3, 4], SPREAD.to_vec()))
        .collect();
    // At kinks the gradient is compared with a declared one.
    let at_kinks = [
        (Activation::Relu, vec![0.0, -1.0, 1.0], vec![0.0, 0.0, 1.0]),
        (Activation::LeakyRelu { negative_slope: 0.1 }, vec![0.0, -1.0, 1.0], vec![0.1, 0.1, 1.0]),
        (Activation::Hardswish, vec![-3.0, 3.0, 0.0], vec![0.0, 1.0, 0.5]),
    ];
    for (f, at, slopes) in at_kinks {
        let case = Case::new(format!("{} at kinks", name(f)), move |x| x[0].activation(f));
        cases.push(case.values([at.len()], at).subgradient(0, slopes));
    }
    cases
}

/// Inputs on both sides of every kink, none of them within a finite difference of one.
const SPREAD: [f64; 12] = [-40.0, -4.0, -2.9, -1.0, -0.3, -0.01, 0.02, 0.4, 1.1, 2.8, 3.5, 30.0];
