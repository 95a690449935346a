//! The activation functions y = f(x), element by element, and their derivatives.
//!
//! Each is one kernel where the backend offers it, else composed from simpler operations; gradients of gradients always
//! go through the composed version. Behind a convolution or a linear layer whose value is still pending, the function
//! joins that kernel.

use super::shorthand::{again, plain, unary};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::pending::Pending;
use crate::tape::{Rule, no_grad};
use crate::tensor::Value;
use taper_backend::{Activation, Buffer, Error, Result, UnaryOp};

impl Tensor {
    /// f(x), element by element.
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
            let backward = move |g: &Tensor, _: &[bool]| {
                let gradient = g.device().activation_grad(f, x.buffer()?, g.buffer()?)?;
                Ok(gradient.map(|gradient| vec![Some(plain(g, gradient))]))
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

/// The value alone: one kernel where there is one.
pub(super) fn forward(x: &Tensor, f: Activation) -> Result<Buffer> {
    match x.device().activation(f, x.buffer()?)? {
        Some(y) => Ok(y),
        None => no_grad(|| composed(x, f))?.into_buffer(),
    }
}

/// f in simpler operations.
fn composed(x: &Tensor, f: Activation) -> Result<Tensor> {
    let zero = || x.scalar_like(0.0);
    match f {
        Activation::Identity => Ok(x.clone()),
        Activation::Relu => x.gt(&zero()?)?.select(x, &zero()?),
        Activation::LeakyRelu { negative_slope } => x.gt(&zero()?)?.select(x, &x.mul_scalar(negative_slope)?),
        // eˣ is taken of min(x, 0), so that the side not chosen cannot overflow and turn gradients into NaN.
        Activation::Elu { alpha } => {
            let negative = x.minimum(&zero()?)?.exp()?.add_scalar(-1.0)?.mul_scalar(alpha)?;
            x.gt(&zero()?)?.select(x, &negative)
        }
        Activation::Gelu => {
            let phi = x.mul_scalar(std::f64::consts::FRAC_1_SQRT_2)?.erf()?.add_scalar(1.0)?.mul_scalar(0.5)?;
            x.mul(&phi)
        }
        Activation::GeluTanh => {
            let cubic = x.mul(x)?.mul(x)?.mul_scalar(0.044715)?;
            let inner = x.add(&cubic)?.mul_scalar((2.0 / std::f64::consts::PI).sqrt())?;
            x.mul_scalar(0.5)?.mul(&tanh(&inner)?.add_scalar(1.0)?)
        }
        Activation::Silu => x.mul(&sigmoid(x)?),
        Activation::Sigmoid => sigmoid(x),
        Activation::Tanh => tanh(x),
        // ln(1 + eᶻ) = max(z, 0) + ln(1 + e^−|z|) does not overflow.
        Activation::Softplus { beta, threshold } => {
            let z = x.mul_scalar(beta)?;
            let soft = softplus(&z)?.mul_scalar(1.0 / beta)?;
            z.gt(&z.scalar_like(threshold)?)?.select(x, &soft)
        }
        Activation::Hardswish => {
            let middle = x.mul(&x.add_scalar(3.0)?)?.mul_scalar(1.0 / 6.0)?;
            let upper = x.ge(&x.scalar_like(3.0)?)?.select(x, &middle)?;
            x.le(&x.scalar_like(-3.0)?)?.select(&zero()?, &upper)
        }
    }
}

/// σ(x); σ′ = σ (1 − σ).
fn sigmoid(x: &Tensor) -> Result<Tensor> {
    let y = unary("sigmoid", UnaryOp::Sigmoid, x)?;
    Ok(Tensor::record("sigmoid", y.clone(), &[x], || {
        let x = x.clone();
        Rule::tensors(move |g, _| {
            let y = again(g, &y, || sigmoid(&x))?;
            Ok(vec![Some(g.mul(&y)?.mul(&y.neg()?.add_scalar(1.0)?)?)])
        })
    }))
}

/// tanh x; its derivative is 1 − tanh² x.
fn tanh(x: &Tensor) -> Result<Tensor> {
    let y = unary("tanh", UnaryOp::Tanh, x)?;
    Ok(Tensor::record("tanh", y.clone(), &[x], || {
        let x = x.clone();
        Rule::tensors(move |g, _| {
            let y = again(g, &y, || tanh(&x))?;
            Ok(vec![Some(g.mul(&y.mul(&y)?.neg()?.add_scalar(1.0)?)?)])
        })
    }))
}

/// ln(1 + eᶻ), whose derivative is σ(z): smooth everywhere, unlike the sum that computes it.
fn softplus(z: &Tensor) -> Result<Tensor> {
    let small = z.abs()?.neg()?.exp()?.log1p()?;
    let value = no_grad(|| z.maximum(&z.scalar_like(0.0)?)?.add(&small))?.into_buffer()?;
    Ok(Tensor::record("softplus", value, &[z], || {
        let z = z.clone();
        Rule::tensors(move |g, _| Ok(vec![Some(g.mul(&sigmoid(&z)?)?)]))
    }))
}

/// The name in messages and tables.
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
    // At kinks the declared derivative counts.
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

/// Both sides of every bend, none of them within a finite difference of it.
const SPREAD: [f64; 12] = [-40.0, -4.0, -2.9, -1.0, -0.3, -0.01, 0.02, 0.4, 1.1, 2.8, 3.5, 30.0];
