//! Elementwise operations: candle's kernels if they fulfil the contract, our own ([`crate::kernels`]) if candle's lose
//! a NaN, a sign or precision.

use crate::data::{CandleResult, beside, is_half, widened};
use crate::kernels::{activation, arithmetic};
use crate::views::broadcast;
use candle_core::{DType as CandleDType, Tensor};
use taper_backend::{BinaryOp, CompareOp, DType, UnaryOp};

/// `op(x)`.
pub(crate) fn unary(op: UnaryOp, x: &Tensor) -> CandleResult<Tensor> {
    if x.dtype() == CandleDType::I64 {
        return arithmetic::unary_i64(op, x);
    }
    // Operations that do not round need no wider type.
    match op {
        UnaryOp::Neg => return x.neg(),
        UnaryOp::Abs => return x.abs(),
        UnaryOp::Floor if !is_half(x.dtype()) => return x.floor(),
        UnaryOp::Atan
        | UnaryOp::Sigmoid
        | UnaryOp::Expm1
        | UnaryOp::ExpNegSquare
        | UnaryOp::NormalCdf
        | UnaryOp::NormalPdf => {
            return activation::unary(op, x);
        }
        _ => {}
    }
    widened(&[x], |x| {
        let x = &x[0];
        match op {
            UnaryOp::Neg => x.neg(),
            UnaryOp::Abs => x.abs(),
            UnaryOp::Sign => x.ne(x)?.where_cond(x, &x.sign()?),
            UnaryOp::Exp => x.exp(),
            UnaryOp::Log => x.log(),
            UnaryOp::Log1p => log1p(x),
            UnaryOp::Sqrt => x.sqrt(),
            UnaryOp::Recip => x.recip(),
            UnaryOp::Sin => x.sin(),
            UnaryOp::Cos => x.cos(),
            UnaryOp::Tanh => x.tanh(),
            UnaryOp::Erf => x.erf(),
            UnaryOp::Floor => x.floor(),
            UnaryOp::Atan
            | UnaryOp::Sigmoid
            | UnaryOp::Expm1
            | UnaryOp::ExpNegSquare
            | UnaryOp::NormalCdf
            | UnaryOp::NormalPdf => activation::unary(op, x),
        }
    })
}

/// ln(1 + x) = ln(u) · x / (u − 1) with u = 1 + x rounded: the factor corrects for the rounding of u (Kahan; Goldberg
/// 1991, theorem 4). x itself if u is 1.
fn log1p(x: &Tensor) -> CandleResult<Tensor> {
    let u = x.affine(1.0, 1.0)?;
    let log = u.log()?;
    let corrected = (&log * x)?.div(&u.affine(1.0, -1.0)?)?;
    let near = u.eq(&beside(x, 1.0)?)?.where_cond(x, &corrected)?;
    x.gt(&beside(x, 1.0)?)?.where_cond(&log, &near)
}

/// `op(a, b)`, with `a` and `b` broadcast to a common shape.
pub(crate) fn binary(op: BinaryOp, a: &Tensor, b: &Tensor) -> CandleResult<Tensor> {
    let shape = a.shape().broadcast_shape_binary_op(b.shape(), "binary")?;
    let (a, b) = (broadcast(a, shape.dims())?, broadcast(b, shape.dims())?);
    if a.dtype() == CandleDType::I64 {
        return arithmetic::binary(op, &a, &b);
    }
    match op {
        BinaryOp::Add => a.add(&b),
        BinaryOp::Sub => a.sub(&b),
        BinaryOp::Mul => a.mul(&b),
        BinaryOp::Div => a.div(&b),
        BinaryOp::Pow | BinaryOp::Maximum | BinaryOp::Minimum => arithmetic::binary(op, &a, &b),
    }
}

/// The factor and summand (f, s) for which `op(x, number)`, or `op(number, x)` if `number_first`, is x · f + s with the
/// same bits; `None` if there are none, or for dtypes other than f32 and f64.
pub(crate) fn line(op: BinaryOp, x: &Tensor, number: f64, number_first: bool) -> Option<(f64, f64)> {
    if !matches!(x.dtype(), CandleDType::F32 | CandleDType::F64) {
        return None;
    }
    match op {
        BinaryOp::Add => Some((1.0, number)),
        BinaryOp::Sub if number_first => Some((-1.0, number)),
        BinaryOp::Sub => Some((1.0, -number)),
        // Adding −0 keeps the sign of a product that is 0.
        BinaryOp::Mul => Some((number, -0.0)),
        _ => None,
    }
}

/// `op(a, b)` as u8, 1 for true, with `a` and `b` broadcast to a common shape.
pub(crate) fn compare(op: CompareOp, a: &Tensor, b: &Tensor) -> CandleResult<Tensor> {
    let shape = a.shape().broadcast_shape_binary_op(b.shape(), "compare")?;
    let (a, b) = (broadcast(a, shape.dims())?, broadcast(b, shape.dims())?);
    match op {
        CompareOp::Eq => a.eq(&b),
        CompareOp::Ne => a.ne(&b),
        CompareOp::Lt => a.lt(&b),
        CompareOp::Le => a.le(&b),
        CompareOp::Gt => a.gt(&b),
        CompareOp::Ge => a.ge(&b),
    }
}

/// `a` where `condition` is not 0, `b` elsewhere; all three broadcast.
pub(crate) fn select(condition: &Tensor, a: &Tensor, b: &Tensor) -> CandleResult<Tensor> {
    let shape = condition.shape().broadcast_shape_binary_op(a.shape(), "select")?;
    let shape = shape.broadcast_shape_binary_op(b.shape(), "select")?;
    let of = |x| broadcast(x, shape.dims());
    of(condition)?.where_cond(&of(a)?, &of(b)?)
}

/// `x` converted to another dtype. From floats to integers the conversion truncates, saturates, and makes 0 of NaN.
/// Candle's does not on a card, so that out-of-range values are replaced before it.
pub(crate) fn cast(x: &Tensor, dtype: DType) -> CandleResult<Tensor> {
    let to = crate::data::candle_dtype(dtype);
    let is_int = |dtype| matches!(dtype, CandleDType::U8 | CandleDType::I64);
    if x.dtype() == to {
        return Ok(x.clone());
    }
    if x.dtype() == CandleDType::I64 && is_half(to) {
        return x.to_dtype(CandleDType::F64)?.to_dtype(to); // candle has no kernel for it on a card
    }
    if !is_int(to) {
        return x.to_dtype(to);
    }
    if x.dtype() == CandleDType::U8 {
        return x.to_dtype(to);
    }
    let x = if is_half(x.dtype()) { x.to_dtype(CandleDType::F32)? } else { x.clone() };
    let (low, high) = if to == CandleDType::U8 { (0.0, 255.0) } else { (i64::MIN as f64, i64::MAX as f64) };
    let (low, high) = (beside(&x, low)?, beside(&x, high)?);
    let inside = |x: &Tensor| x.le(&low)?.where_cond(&low, &x.ge(&high)?.where_cond(&high, x)?);
    if is_int(x.dtype()) {
        return inside(&x)?.to_dtype(to);
    }
    let known = inside(&x.ne(&x)?.where_cond(&beside(&x, 0.0)?, &x)?)?;
    if to == CandleDType::U8 {
        return known.to_dtype(to);
    }
    // 2⁶³ is a float but not an i64: it is replaced by i64::MAX after the conversion.
    let top = x.ge(&high)?;
    let safe = top.where_cond(&beside(&x, 0.0)?, &known)?.to_dtype(to)?;
    let most = Tensor::full(i64::MAX, (), x.device())?.broadcast_as(x.shape())?;
    top.where_cond(&most, &safe)
}
