//! The functions whose accuracy is measured, each with a reference in f64 that uses other formulas than the kernels.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, PI, TAU};
use taper_backend::{Activation, Device, FusedOp, HostData, Saved, Shape, UnaryOp};
use taper_tensor::{GradOptions, Result, Tensor, grad};

/// A function of one f32, as a device computes it.
#[derive(Clone, Copy)]
pub enum Computed {
    /// A unary operation's kernel.
    Unary(UnaryOp),
    /// The gradient by the tape's backward rule, for an output gradient of 1.
    UnaryGrad(fn(&Tensor) -> Result<Tensor>),
    /// An activation's kernel.
    Activation(Activation),
    /// The kernel of an activation's gradient, for an output gradient of 1.
    ActivationGrad(Activation),
    /// The gradient of an activation's gradient, which the tape composes from simpler operations.
    SecondGrad(Activation),
}

impl Computed {
    /// The function's values at `x`, as `device` computes them.
    pub fn at(self, x: &[f32], device: &Device) -> Result<Vec<f32>> {
        let shape = Shape::from([x.len()]);
        let host = HostData::F32(x.to_vec());
        let buffer = match self {
            Self::Unary(op) => device.unary(op, &device.upload(&host, &shape)?)?,
            Self::Activation(f) => {
                let x = device.upload(&host, &shape)?;
                device.fused(&FusedOp::Activation { x: &x, f })?.map_or(x, |output| output.y)
            }
            Self::ActivationGrad(f) => {
                let x = device.upload(&host, &shape)?;
                let one = device.fill(&shape, x.dtype(), 1.0)?;
                let op = FusedOp::Activation { x: &x, f };
                let found = device.fused_grad(&op, &one, &Saved::nothing(), &[true])?;
                found.and_then(|mut found| found.pop()?).unwrap_or(x)
            }
            Self::UnaryGrad(f) => {
                let x = Tensor::from_vec(x.to_vec(), shape, device)?.requires_grad();
                let gradients = f(&x)?.sum_all()?.backward()?;
                return gradients.of(&x).map_or(Ok(vec![0.0; x.shape().count()]), |g| g.to_vec());
            }
            Self::SecondGrad(f) => {
                let x = Tensor::from_vec(x.to_vec(), shape, device)?.requires_grad();
                let options = GradOptions { create_graph: true, ..GradOptions::default() };
                let first = grad(&x.activation(f)?.sum_all()?, &[&x], None, options)?;
                let Some(first) = &first[0] else { return Ok(vec![0.0; x.shape().count()]) };
                let gradients = first.sum_all()?.backward()?;
                return gradients.of(&x).map_or(Ok(vec![0.0; x.shape().count()]), |g| g.to_vec());
            }
        };
        Ok(match device.download(&buffer)? {
            HostData::F32(values) => values,
            other => other.to_f64().into_iter().map(|y| y as f32).collect(),
        })
    }
}

/// A function that is measured: a row of the table.
#[derive(Clone, Copy)]
pub struct Function {
    /// The function's name in the table.
    pub name: &'static str,
    /// The computation that is measured.
    pub computed: Computed,
    /// The reference, in f64.
    pub truth: fn(f64) -> f64,
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// σ′(x) = 1 / (4 cosh²(x / 2))
fn sigmoid_slope(x: f64) -> f64 {
    0.25 / (0.5 * x).cosh().powi(2)
}

fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

fn normal_pdf(x: f64) -> f64 {
    (-0.5 * x * x).exp() / TAU.sqrt()
}

/// `f(x)`, or −0 below `lowest`, where the formula would give 0 · ∞. The functions that use it approach 0 from below.
fn from(lowest: f64, x: f64, f: impl Fn(f64) -> f64) -> f64 {
    if x < lowest { -0.0 } else { f(x) }
}

/// `f` of x clamped to ±1000.
fn near(x: f64, f: impl Fn(f64) -> f64) -> f64 {
    f(x.clamp(-1000.0, 1000.0))
}

/// 2 √(2/π) (x + 0.044715 x³) and its derivative.
fn gelu_inner(x: f64) -> (f64, f64) {
    let scale = (8.0 / PI).sqrt();
    (scale * x * (1.0 + 0.044715 * x * x), scale * (1.0 + 0.134145 * x * x))
}

/// σ′(x) (2 − x tanh(x / 2))
fn silu_second(x: f64) -> f64 {
    sigmoid_slope(x) * (2.0 - x * (0.5 * x).tanh())
}

/// All functions that are measured.
pub fn all() -> Vec<Function> {
    use Computed::{Activation as Of, ActivationGrad as Slope, SecondGrad, Unary, UnaryGrad};
    let row = |name, computed, truth| Function { name, computed, truth };
    let elu = Activation::Elu { alpha: 1.0 };
    let leaky = Activation::LeakyRelu { negative_slope: 0.25 };
    let softplus = Activation::Softplus { beta: 1.0, threshold: 20.0 };
    let steep = Activation::Softplus { beta: 3.0, threshold: 20.0 };
    vec![
        row("neg", Unary(UnaryOp::Neg), |x| -x),
        row("abs", Unary(UnaryOp::Abs), f64::abs),
        row("sign", Unary(UnaryOp::Sign), |x| if x == 0.0 { x } else { x.signum() }),
        row("floor", Unary(UnaryOp::Floor), f64::floor),
        row("sqrt", Unary(UnaryOp::Sqrt), f64::sqrt),
        row("recip", Unary(UnaryOp::Recip), f64::recip),
        row("exp", Unary(UnaryOp::Exp), f64::exp),
        row("expm1", Unary(UnaryOp::Expm1), f64::exp_m1),
        row("exp_neg_square", Unary(UnaryOp::ExpNegSquare), |x| (-x * x).exp()),
        row("log", Unary(UnaryOp::Log), f64::ln),
        row("log1p", Unary(UnaryOp::Log1p), f64::ln_1p),
        row("sin", Unary(UnaryOp::Sin), f64::sin),
        row("cos", Unary(UnaryOp::Cos), f64::cos),
        row("atan", Unary(UnaryOp::Atan), f64::atan),
        row("tanh", Unary(UnaryOp::Tanh), f64::tanh),
        row("sigmoid", Unary(UnaryOp::Sigmoid), sigmoid),
        row("erf", Unary(UnaryOp::Erf), libm::erf),
        row("normal_cdf", Unary(UnaryOp::NormalCdf), normal_cdf),
        row("normal_pdf", Unary(UnaryOp::NormalPdf), normal_pdf),
        row("relu", Of(Activation::Relu), |x| if x < 0.0 { 0.0 } else { x }),
        row("leaky_relu 0.25", Of(leaky), |x| if x > 0.0 { x } else { 0.25 * x }),
        row("elu", Of(elu), |x| if x > 0.0 { x } else { x.exp_m1() }),
        row("gelu", Of(Activation::Gelu), |x| from(-38.0, x, |x| x * normal_cdf(x))),
        row("gelu_tanh", Of(Activation::GeluTanh), |x| from(-38.0, x, |x| x * sigmoid(gelu_inner(x).0))),
        row("silu", Of(Activation::Silu), |x| from(-700.0, x, |x| x * sigmoid(x))),
        row("softplus", Of(softplus), |x| if x > 20.0 { x } else { x.exp().ln_1p() }),
        row("softplus, β 3", Of(steep), |x| if 3.0 * x > 20.0 { x } else { (3.0 * x).exp().ln_1p() / 3.0 }),
        row("hardswish", Of(Activation::Hardswish), hardswish),
        row("relu′", Slope(Activation::Relu), |x| if x > 0.0 { 1.0 } else { 0.0 * x.signum().abs() }),
        row("leaky_relu′", Slope(leaky), |x| if x > 0.0 { 1.0 } else { 0.25 * x.signum().abs() }),
        row("elu′", Slope(elu), |x| if x > 0.0 { 1.0 } else { x.exp() }),
        row("gelu′", Slope(Activation::Gelu), |x| from(-38.0, x, |x| near(x, |x| normal_cdf(x) + x * normal_pdf(x)))),
        row("gelu_tanh′", Slope(Activation::GeluTanh), |x| from(-38.0, x, |x| near(x, gelu_tanh_slope))),
        row("silu′", Slope(Activation::Silu), |x| {
            from(-700.0, x, |x| near(x, |x| sigmoid(x) * (1.0 + x * sigmoid(-x))))
        }),
        row("sigmoid′", Slope(Activation::Sigmoid), sigmoid_slope),
        row("tanh′", Slope(Activation::Tanh), |x| x.cosh().powi(-2)),
        row("softplus′", Slope(softplus), |x| if x > 20.0 { 1.0 } else { sigmoid(x) }),
        row("softplus′, β 3", Slope(steep), |x| if 3.0 * x > 20.0 { 1.0 } else { sigmoid(3.0 * x) }),
        row("hardswish′", Slope(Activation::Hardswish), hardswish_slope),
        row("abs′", UnaryGrad(Tensor::abs), |x| if x == 0.0 { x } else { x.signum() }),
        row("sqrt′", UnaryGrad(Tensor::sqrt), |x| 0.5 / x.sqrt()),
        row("recip′", UnaryGrad(Tensor::recip), |x| -1.0 / (x * x)),
        row("exp′", UnaryGrad(Tensor::exp), f64::exp),
        row("expm1′", UnaryGrad(Tensor::expm1), f64::exp),
        row("exp_neg_square′", UnaryGrad(Tensor::exp_neg_square), |x| near(x, |x| -2.0 * x * (-x * x).exp())),
        row("log′", UnaryGrad(Tensor::log), f64::recip),
        row("log1p′", UnaryGrad(Tensor::log1p), |x| 1.0 / (1.0 + x)),
        row("sin′", UnaryGrad(Tensor::sin), f64::cos),
        row("cos′", UnaryGrad(Tensor::cos), |x| -x.sin()),
        row("atan′", UnaryGrad(Tensor::atan), |x| 1.0 / (1.0 + x * x)),
        row("erf′", UnaryGrad(Tensor::erf), |x| FRAC_2_SQRT_PI * (-x * x).exp()),
        row("normal_cdf′", UnaryGrad(Tensor::normal_cdf), normal_pdf),
        row("normal_pdf′", UnaryGrad(Tensor::normal_pdf), |x| near(x, |x| -x * normal_pdf(x))),
        row("elu″", SecondGrad(elu), |x| if x > 0.0 { 0.0 } else { x.exp() }),
        row("gelu″", SecondGrad(Activation::Gelu), |x| near(x, |x| normal_pdf(x) * (2.0 - x * x))),
        row("silu″", SecondGrad(Activation::Silu), |x| near(x, silu_second)),
        row("sigmoid″", SecondGrad(Activation::Sigmoid), |x| -sigmoid_slope(x) * (0.5 * x).tanh()),
        row("tanh″", SecondGrad(Activation::Tanh), |x| -2.0 * x.tanh() * x.cosh().powi(-2)),
        row("softplus″", SecondGrad(softplus), |x| if x > 20.0 { 0.0 } else { sigmoid_slope(x) }),
    ]
}

fn gelu_tanh_slope(x: f64) -> f64 {
    let (z, slope) = gelu_inner(x);
    sigmoid(z) * (1.0 + x * slope * sigmoid(-z))
}

fn hardswish(x: f64) -> f64 {
    if x <= -3.0 {
        0.0
    } else if x >= 3.0 {
        x
    } else {
        x * (x + 3.0) / 6.0
    }
}

fn hardswish_slope(x: f64) -> f64 {
    if x <= -3.0 {
        0.0
    } else if x >= 3.0 {
        1.0
    } else {
        (2.0 * x + 3.0) / 6.0
    }
}
