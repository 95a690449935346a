//! Operators that work element by element.

use super::call::{Answer, Arg, Call, Stop, lacking, number};
use super::table::Rule::{Exact, Sums, Ulps};
use super::table::{Op, binary, call, one, unary, with_number};
use taper_tensor::{Activation, DType, Error, Result, Tensor};

/// One line for each.
pub(super) fn ops() -> Vec<Op> {
    vec![
        unary("abs", Exact, Tensor::abs),
        unary("ceil", Exact, Tensor::ceil),
        unary("cos", Ulps(2.0), Tensor::cos),
        unary("deg2rad", Ulps(2.0), |x| float(x)?.mul_scalar(std::f64::consts::PI / 180.0)),
        unary("erf", Ulps(2.0), Tensor::erf),
        unary("exp", Ulps(2.0), Tensor::exp),
        unary("expm1", Ulps(3.0), Tensor::expm1),
        unary("exp2", Ulps(2.0), |x| like(x, 2.0)?.pow(x)),
        unary("floor", Exact, Tensor::floor),
        unary("frac", Exact, |x| x.sub(&x.trunc()?)),
        unary("isfinite", Exact, Tensor::isfinite),
        unary("isinf", Exact, Tensor::isinf),
        unary("isnan", Exact, Tensor::isnan),
        unary("isneginf", Exact, |x| x.eq(&like(&float(x)?, f64::NEG_INFINITY)?)),
        unary("isposinf", Exact, |x| x.eq(&like(&float(x)?, f64::INFINITY)?)),
        unary("log", Ulps(2.0), Tensor::log),
        unary("log10", Ulps(3.0), |x| x.log()?.mul_scalar(std::f64::consts::LOG10_E)),
        unary("log1p", Ulps(2.0), Tensor::log1p),
        unary("log2", Ulps(3.0), |x| x.log()?.mul_scalar(std::f64::consts::LOG2_E)),
        unary("logical_not", Exact, Tensor::logical_not),
        unary("neg", Exact, Tensor::neg),
        unary("positive", Exact, |x| x.reshape(x.shape())),
        unary("rad2deg", Ulps(2.0), |x| float(x)?.mul_scalar(180.0 / std::f64::consts::PI)),
        unary("reciprocal", Ulps(1.0), Tensor::recip),
        unary("rsqrt", Ulps(2.0), Tensor::rsqrt),
        call("round", Exact, |c| match c.number(usize::MAX, "decimals", 0.0)? {
            0.0 => one(c.x()?.round()),
            _ => lacking("rounding to other decimals than 0"),
        }),
        unary("sgn", Exact, Tensor::sign),
        unary("sigmoid", Ulps(3.0), Tensor::sigmoid),
        unary("sign", Exact, Tensor::sign),
        unary("sin", Ulps(2.0), Tensor::sin),
        unary("sqrt", Ulps(1.0), Tensor::sqrt),
        unary("square", Ulps(1.0), |x| x.mul(x)),
        unary("tan", Ulps(4.0), Tensor::tan),
        unary("tanh", Ulps(3.0), Tensor::tanh),
        unary("trunc", Exact, Tensor::trunc),
        call("nan_to_num", Exact, nan_to_num),
        // Activations.
        call("nn.functional.elu", Ulps(3.0), |c| activation(c, Activation::Elu { alpha: c.number(1, "alpha", 1.0)? })),
        call("nn.functional.gelu", Ulps(4.0), |c| match c.text(1, "approximate", "none").as_str() {
            "tanh" => activation(c, Activation::GeluTanh),
            _ => activation(c, Activation::Gelu),
        }),
        call("nn.functional.glu", Ulps(4.0), glu),
        call("nn.functional.hardshrink", Exact, |c| {
            let (x, lambda) = (c.x()?, c.number(1, "lambd", 0.5)?);
            one(x.abs()?.le_scalar(lambda)?.select(&like(&x, 0.0)?, &x))
        }),
        unary("nn.functional.hardsigmoid", Ulps(2.0), |x| {
            between(&x.add_scalar(3.0)?, 0.0, 6.0)?.mul_scalar(1.0 / 6.0)
        }),
        unary("nn.functional.hardswish", Ulps(3.0), |x| x.activation(Activation::Hardswish)),
        call("nn.functional.hardtanh", Exact, |c| {
            let x = c.x()?;
            one(between(&x, c.number(1, "min_val", -1.0)?, c.number(2, "max_val", 1.0)?))
        }),
        call("nn.functional.leaky_relu", Ulps(1.0), |c| {
            activation(c, Activation::LeakyRelu { negative_slope: c.number(1, "negative_slope", 0.01)? })
        }),
        unary("nn.functional.logsigmoid", Ulps(3.0), |x| x.neg()?.activation(SOFTPLUS)?.neg()),
        unary("nn.functional.mish", Ulps(4.0), |x| x.mul(&x.activation(SOFTPLUS)?.tanh()?)),
        call("nn.functional.prelu", Ulps(1.0), prelu),
        unary("nn.functional.relu", Exact, Tensor::relu),
        unary("nn.functional.relu6", Exact, |x| between(x, 0.0, 6.0)),
        unary("nn.functional.selu", Ulps(4.0), |x| {
            x.activation(Activation::Elu { alpha: 1.673_263_242_354_377_2 })?.mul_scalar(1.050_700_987_355_480_5)
        }),
        unary("nn.functional.silu", Ulps(3.0), |x| x.activation(Activation::Silu)),
        call("nn.functional.softplus", Ulps(3.0), |c| {
            let (beta, threshold) = (c.number(1, "beta", 1.0)?, c.number(2, "threshold", 20.0)?);
            activation(c, Activation::Softplus { beta, threshold })
        }),
        call("nn.functional.softshrink", Ulps(1.0), |c| {
            let (x, lambda) = (c.x()?, c.number(1, "lambd", 0.5)?);
            one(x.sub(&between(&x, -lambda, lambda)?))
        }),
        call("nn.functional.threshold", Exact, |c| {
            let (x, threshold) = (c.x()?, c.number(1, "threshold", 0.0)?);
            let value = Tensor::full(c.number(2, "value", 0.0)?, [], x.dtype(), &c.device)?;
            one(x.le_scalar(threshold)?.select(&value, &x))
        }),
        // Two operands.
        call("add", Ulps(1.0), |c| scaled_sum(c, Tensor::add, Tensor::add_scalar)),
        call("sub", Ulps(1.0), |c| scaled_sum(c, Tensor::sub, |x, c| x.add_scalar(-c))),
        call("rsub", Ulps(1.0), |c| {
            let (x, alpha) = (c.x()?, c.number(2, "alpha", 1.0)?);
            let y = c.operand(1, "other", x.dtype())?;
            if alpha != 1.0 {
                c.judge_by(Sums);
            }
            one(y.sub(&scale(&x, alpha)?))
        }),
        with_number("mul", Ulps(1.0), Tensor::mul, Tensor::mul_scalar),
        with_number("div", Ulps(1.0), |x, y| float(x)?.div(y), |x, c| float(x)?.div_scalar(c)),
        with_number("true_divide", Ulps(1.0), |x, y| float(x)?.div(y), |x, c| float(x)?.div_scalar(c)),
        binary("maximum", Exact, |x, y| x.maximum(y)),
        binary("minimum", Exact, |x, y| x.minimum(y)),
        binary("max.binary", Exact, |x, y| x.maximum(y)),
        binary("min.binary", Exact, |x, y| x.minimum(y)),
        binary("fmax", Exact, |x, y| y.ne(y)?.select(x, &x.ne(x)?.select(y, &x.maximum(y)?)?)),
        binary("fmin", Exact, |x, y| y.ne(y)?.select(x, &x.ne(x)?.select(y, &x.minimum(y)?)?)),
        with_number("eq", Exact, Tensor::eq, Tensor::eq_scalar),
        with_number("ne", Exact, Tensor::ne, Tensor::ne_scalar),
        with_number("lt", Exact, Tensor::lt, Tensor::lt_scalar),
        with_number("le", Exact, Tensor::le, Tensor::le_scalar),
        with_number("gt", Exact, Tensor::gt, Tensor::gt_scalar),
        with_number("ge", Exact, Tensor::ge, Tensor::ge_scalar),
        binary("logical_and", Exact, Tensor::logical_and),
        binary("logical_or", Exact, Tensor::logical_or),
        binary("logical_xor", Exact, Tensor::logical_xor),
        call("pow", Ulps(2.0), |c| match c.find(1, "exponent") {
            Some(Arg::Tensor(exponent)) => one(c.x()?.pow(exponent)),
            _ => one(c.x()?.pow_scalar(c.number(1, "exponent", 1.0)?)),
        }),
        call("float_power", Ulps(2.0), |c| {
            let x = c.x()?.cast(DType::F64)?;
            one(x.pow(&c.operand(1, "exponent", DType::F64)?.cast(DType::F64)?))
        }),
        with_number("__radd__", Ulps(1.0), |x, y| y.add(x), Tensor::add_scalar),
        binary("__rsub__", Ulps(1.0), |x, y| y.sub(x)),
        with_number("__rmul__", Ulps(1.0), Tensor::mul, Tensor::mul_scalar),
        binary("__rdiv__", Ulps(1.0), |x, y| float(y)?.div(x)),
        binary("__rpow__", Ulps(2.0), |x, y| y.pow(x)),
        call("clamp", Exact, |c| {
            let (mut x, dtype) = (c.x()?, c.x()?.dtype());
            let bound = |i, name| c.find(i, name).map(|arg| number(arg).filter(|bound| !bound.is_nan()));
            // Numbers, of which one may be missing.
            if let ([None | Some(Some(_)), None | Some(Some(_))], true) =
                (&[bound(1, "min"), bound(2, "max")], c.find(1, "min").or(c.find(2, "max")).is_some())
            {
                return one(x.clamp(bound(1, "min").flatten(), bound(2, "max").flatten()));
            }
            if c.find(1, "min").is_some() {
                x = x.maximum(&c.operand(1, "min", dtype)?)?;
            }
            if c.find(2, "max").is_some() {
                x = x.minimum(&c.operand(2, "max", dtype)?)?;
            }
            Ok(vec![x])
        }),
        with_number("clamp_min", Exact, Tensor::maximum, Tensor::maximum_scalar),
        with_number("clamp_max", Exact, Tensor::minimum, Tensor::minimum_scalar),
        // Three.
        call("where", Exact, |c| {
            if c.find(0, "input").and_then(number).is_some() && c.find(2, "other").and_then(number).is_some() {
                return lacking("two numbers, whose dtype PyTorch chooses");
            }
            let a = c.operand(0, "input", c.dtype)?;
            one(c.tensor(1, "condition")?.select(&a, &c.operand(2, "other", a.dtype())?))
        }),
        call("masked_fill", Exact, |c| {
            let (x, mask) = (c.x()?, c.tensor(1, "mask")?);
            match c.find(2, "value").and_then(number) {
                Some(value) => one(x.masked_fill(&mask, value)),
                None => one(mask.select(&c.operand(2, "value", x.dtype())?, &x)),
            }
        }),
        call("lerp", Sums, |c| {
            let (x, end) = (c.x()?, c.tensor(1, "end")?);
            let by = end.sub(&x)?;
            one(x.add(&by.mul(&c.operand(2, "weight", x.dtype())?)?))
        }),
        call("addcmul", Sums, |c| {
            let (x, value) = (c.x()?, c.number(3, "value", 1.0)?);
            one(x.add(&scale(&c.tensor(1, "tensor1")?.mul(&c.tensor(2, "tensor2")?)?, value)?))
        }),
        call("addcdiv", Sums, |c| {
            let (x, value) = (c.x()?, c.number(3, "value", 1.0)?);
            one(x.add(&scale(&c.tensor(1, "tensor1")?.div(&c.tensor(2, "tensor2")?)?, value)?))
        }),
    ]
}

/// ln(1 + eˣ), nowhere taken for linear.
const SOFTPLUS: Activation = Activation::Softplus { beta: 1.0, threshold: f64::INFINITY };

/// `value` as a scalar beside `x`.
fn like(x: &Tensor, value: f64) -> Result<Tensor> {
    Tensor::full(value, [], x.dtype(), x.device())
}

/// `x`, if it is a float: integers have no infinity and no fractions.
fn float(x: &Tensor) -> Result<Tensor> {
    if x.dtype().is_float() { Ok(x.clone()) } else { Err(Error::dtype("float", "an integer")) }
}

fn between(x: &Tensor, low: f64, high: f64) -> Result<Tensor> {
    x.clamp(Some(low), Some(high))
}

/// `x` times a number; `x` itself for 1.
pub(super) fn scale(x: &Tensor, c: f64) -> Result<Tensor> {
    if c == 1.0 { Ok(x.clone()) } else { x.mul_scalar(c) }
}

fn activation(c: &Call, f: Activation) -> Answer {
    one(c.x()?.activation(f))
}

/// x ± alpha · y.
fn scaled_sum(
    c: &Call,
    join: fn(&Tensor, &Tensor) -> Result<Tensor>,
    join_number: fn(&Tensor, f64) -> Result<Tensor>,
) -> Answer {
    let (x, alpha) = (c.x()?, c.number(2, "alpha", 1.0)?);
    if alpha != 1.0 {
        // The product is rounded before it is added.
        c.judge_by(Sums);
    }
    match c.find(1, "other").and_then(number) {
        Some(other) => one(join_number(&x, alpha * other)),
        None => one(join(&x, &scale(&c.operand(1, "other", x.dtype())?, alpha)?)),
    }
}

fn glu(c: &Call) -> Answer {
    let (x, axis) = (c.x()?, c.int(1, "dim")?.unwrap_or(-1));
    let half = x.dim(axis)? / 2;
    one(x.narrow(axis, 0, half)?.mul(&x.narrow(axis, half, half)?.sigmoid()?))
}

/// x where x > 0, weight · x elsewhere; a weight for each channel.
fn prelu(c: &Call) -> Answer {
    let (x, weight) = (c.x()?, c.tensor(1, "weight")?);
    let rank = x.shape().rank();
    let weight = match weight.count() {
        1 => weight.reshape([])?,
        _ if rank < 2 => return lacking("weights for channels without a dimension of channels"),
        count => weight.reshape([&[count][..], &vec![1; rank - 2]].concat())?,
    };
    one(x.gt_scalar(0.0)?.select(&x, &weight.mul(&x)?))
}

fn nan_to_num(c: &Call) -> Answer {
    let x = c.x()?;
    let largest = match x.dtype() {
        DType::F64 => f64::MAX,
        DType::F32 => f64::from(f32::MAX),
        DType::F16 => 65504.0,
        DType::BF16 => 255.0 * 2f64.powi(120),
        DType::U8 | DType::I64 => return Ok(vec![x]),
    };
    let value = |i, name, default| -> Result<Tensor, Stop> { Ok(like(&x, c.number(i, name, default)?)?) };
    let y = x.ne(&x)?.select(&value(1, "nan", 0.0)?, &x)?;
    let y = y.eq_scalar(f64::INFINITY)?.select(&value(2, "posinf", largest)?, &y)?;
    one(y.eq_scalar(f64::NEG_INFINITY)?.select(&value(3, "neginf", -largest)?, &y))
}
