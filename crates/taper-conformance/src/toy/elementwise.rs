//! Unary and binary operations, comparisons and selection, element by element.

use super::memory::{buffer, chain, coordinates, data, integers, position, rounded, take, values};
use super::unsupported;
use super::views::broadcast_source;
use std::f64::consts::PI;
use taper_backend::{BinaryOp, Buffer, CompareOp, DType, HostData, Result, Shape, UnaryOp};

pub fn unary(op: UnaryOp, x: &Buffer) -> Result<Buffer> {
    if x.dtype() == DType::I64 {
        let f: fn(i64) -> i64 = match op {
            UnaryOp::Neg => i64::wrapping_neg,
            UnaryOp::Abs => i64::wrapping_abs,
            UnaryOp::Sign => i64::signum,
            _ => return Err(unsupported("unary", DType::I64)),
        };
        return Ok(buffer(x.shape(), HostData::I64(integers(x)?.iter().map(|&x| f(x)).collect())));
    }
    if !x.dtype().is_float() {
        return Err(unsupported("unary", x.dtype()));
    }
    let f: fn(f64) -> f64 = match op {
        UnaryOp::Neg => |x| -x,
        UnaryOp::Abs => f64::abs,
        UnaryOp::Sign => |x| if x == 0.0 { 0.0 } else { x.signum() },
        UnaryOp::Exp => f64::exp,
        UnaryOp::Expm1 => exp_m1,
        UnaryOp::ExpNegSquare => |x| exp_neg_square(1.0, x),
        UnaryOp::Log => f64::ln,
        UnaryOp::Log1p => f64::ln_1p,
        UnaryOp::Sqrt => f64::sqrt,
        UnaryOp::Recip => f64::recip,
        UnaryOp::Sin => f64::sin,
        UnaryOp::Cos => f64::cos,
        UnaryOp::Atan => f64::atan,
        UnaryOp::Tanh => f64::tanh,
        UnaryOp::Sigmoid => sigmoid,
        UnaryOp::Erf => erf,
        UnaryOp::NormalCdf => normal_cdf,
        UnaryOp::NormalPdf => |x| exp_neg_square(0.5, x) / (2.0 * PI).sqrt(),
        UnaryOp::Floor => f64::floor,
    };
    let y: Vec<f64> = values(x)?.into_iter().map(f).collect();
    Ok(rounded(x.shape(), &y, x.dtype()))
}

fn sigmoid(x: f64) -> f64 {
    // e^x is taken of a negative number only, so that it cannot overflow.
    if x >= 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
}

/// The error function by its series without cancellation (Abramowitz and Stegun, 7.1.6):
/// erf x = 2/√π · e^(−x²) · Σ 2ⁿ x²ⁿ⁺¹ / (1·3·…·(2n+1)).
pub fn erf(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x.abs() > 6.0 {
        return x.signum(); // 1 − erf 6 is 2e-17
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
    }
    2.0 / PI.sqrt() * (-x * x).exp() * sum
}

/// e^(−f x²) for f a power of two: the rounding error of the square, which a fused multiply-add gives, is taken off after.
fn exp_neg_square(f: f64, x: f64) -> f64 {
    let square = x * x;
    let power = (-f * square).exp();
    if power == 0.0 { power } else { power * (1.0 - f * x.mul_add(x, -square)) }
}

/// eˣ − 1 = 2 e^(x/2) sinh(x/2), without cancellation.
fn exp_m1(x: f64) -> f64 {
    if x < -700.0 { -1.0 } else { 2.0 * (0.5 * x).exp() * (0.5 * x).sinh() }
}

/// The standard normal distribution function Φ(x), to full relative precision in the lower tail: Φ(−b) = φ(b) ∫₀^∞
/// e^(−bt − t²/2) dt. With t = eˢ this is an integral over the whole line of a function that decays fast, for which the
/// trapezoidal rule is practically exact.
pub fn normal_cdf(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    let b = x.abs();
    let step = 1.0 / 8.0;
    let integrand = |s: f64| (s - b * s.exp() - 0.5 * (2.0 * s).exp()).exp();
    let integral: f64 = (-320..40).map(|i| step * integrand(f64::from(i) * step)).sum();
    let tail = if b > 40.0 { 0.0 } else { exp_neg_square(0.5, b) / (2.0 * PI).sqrt() * integral };
    if x > 0.0 { 1.0 - tail } else { tail }
}

pub fn binary(op: BinaryOp, a: &Buffer, b: &Buffer) -> Result<Buffer> {
    let shape = a.shape().broadcast_with(b.shape(), "binary")?;
    let pairs = pairs(&shape, a, b);
    if a.dtype() == DType::I64 {
        let (f, a, b) = (of_integers(op)?, integers(a)?, integers(b)?);
        return Ok(buffer(&shape, HostData::I64(pairs.map(|(i, j)| f(a[i], b[j])).collect())));
    }
    if !a.dtype().is_float() {
        return Err(unsupported("binary", a.dtype()));
    }
    let (f, dtype, x, y) = (of_floats(op), a.dtype(), values(a)?, values(b)?);
    Ok(rounded(&shape, &pairs.map(|(i, j)| f(x[i], y[j])).collect::<Vec<_>>(), dtype))
}

pub fn binary_scalar(op: BinaryOp, x: &Buffer, number: f64, number_first: bool) -> Result<Buffer> {
    if x.dtype() == DType::I64 {
        let (f, number) = (of_integers(op)?, number as i64);
        let of = |&x: &i64| if number_first { f(number, x) } else { f(x, number) };
        return Ok(buffer(x.shape(), HostData::I64(integers(x)?.iter().map(of).collect())));
    }
    if !x.dtype().is_float() {
        return Err(unsupported("binary_scalar", x.dtype()));
    }
    let f = of_floats(op);
    let of = |x: f64| if number_first { f(number, x) } else { f(x, number) };
    Ok(rounded(x.shape(), &values(x)?.into_iter().map(of).collect::<Vec<_>>(), x.dtype()))
}

fn of_integers(op: BinaryOp) -> Result<fn(i64, i64) -> i64> {
    Ok(match op {
        BinaryOp::Add => i64::wrapping_add,
        BinaryOp::Sub => i64::wrapping_sub,
        BinaryOp::Mul => i64::wrapping_mul,
        BinaryOp::Div => |x, y| if y == 0 { 0 } else { x.wrapping_div(y) },
        BinaryOp::Maximum => i64::max,
        BinaryOp::Minimum => i64::min,
        BinaryOp::Pow => return Err(unsupported("binary", DType::I64)),
    })
}

fn of_floats(op: BinaryOp) -> fn(f64, f64) -> f64 {
    match op {
        BinaryOp::Add => |x, y| x + y,
        BinaryOp::Sub => |x, y| x - y,
        BinaryOp::Mul => |x, y| x * y,
        BinaryOp::Div => |x, y| x / y,
        BinaryOp::Pow => f64::powf,
        BinaryOp::Maximum => |x, y| if x.is_nan() || x > y { x } else { y },
        BinaryOp::Minimum => |x, y| if x.is_nan() || x < y { x } else { y },
    }
}

/// For every element of the broadcast `shape`, the positions in `a` and `b`.
fn pairs(shape: &Shape, a: &Buffer, b: &Buffer) -> impl Iterator<Item = (usize, usize)> {
    let (a, b) = (a.shape().clone(), b.shape().clone());
    let of = |shape: &Shape, at: &[usize]| position(shape, &broadcast_source(shape, at));
    coordinates(shape).map(move |at| (of(&a, &at), of(&b, &at)))
}

fn holds<T: PartialOrd>(op: CompareOp, x: T, y: T) -> u8 {
    u8::from(match op {
        CompareOp::Eq => x == y,
        CompareOp::Ne => x != y,
        CompareOp::Lt => x < y,
        CompareOp::Le => x <= y,
        CompareOp::Gt => x > y,
        CompareOp::Ge => x >= y,
    })
}

pub fn compare_scalar(op: CompareOp, x: &Buffer, number: f64) -> Result<Buffer> {
    let z: Vec<u8> = if x.dtype() == DType::I64 {
        integers(x)?.iter().map(|&x| holds(op, x, number as i64)).collect()
    } else {
        let number = HostData::from_f64(&[number], x.dtype()).to_f64()[0];
        values(x)?.into_iter().map(|x| holds(op, x, number)).collect()
    };
    Ok(buffer(x.shape(), HostData::U8(z)))
}

pub fn compare(op: CompareOp, a: &Buffer, b: &Buffer) -> Result<Buffer> {
    let shape = a.shape().broadcast_with(b.shape(), "compare")?;
    let pairs = pairs(&shape, a, b);
    let z: Vec<u8> = if a.dtype() == DType::I64 {
        let (a, b) = (integers(a)?, integers(b)?);
        pairs.map(|(i, j)| holds(op, a[i], b[j])).collect()
    } else {
        let (a, b) = (values(a)?, values(b)?);
        pairs.map(|(i, j)| holds(op, a[i], b[j])).collect()
    };
    Ok(buffer(&shape, HostData::U8(z)))
}

pub fn select(condition: &Buffer, a: &Buffer, b: &Buffer) -> Result<Buffer> {
    const OP: &str = "select";
    let shape = condition.shape().broadcast_with(a.shape(), OP)?.broadcast_with(b.shape(), OP)?;
    let (chosen, both) = (values(condition)?, chain(&[data(a)?, data(b)?]));
    let of = |x: &Buffer, at: &[usize]| position(x.shape(), &broadcast_source(x.shape(), at));
    let positions: Vec<usize> = coordinates(&shape)
        .map(|at| if chosen[of(condition, &at)] != 0.0 { of(a, &at) } else { a.count() + of(b, &at) })
        .collect();
    Ok(buffer(&shape, take(&both, &positions)))
}
