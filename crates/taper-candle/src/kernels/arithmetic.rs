//! `z = f(a, b)` on floats, element by element: candle's maximum and minimum lose a NaN, and its power a negative base.
//! Integers are in [`integer`](super::integer).

use super::integer;
use super::launch::{Grid, Launch, Scalar};
use super::number::{Number, Real, for_float};
use super::source::{FLOATS, Kernel};
use candle_core::{DType, Result, Tensor};
use num_traits::Float;
use taper_backend::BinaryOp;

pub(crate) use super::integer::unary as unary_i64;

pub(crate) const KERNEL: Kernel =
    Kernel { name: "arithmetic", text: include_str!("arithmetic.cu"), dtypes: FLOATS, entries: &["binary"] };

/// The operation's number in the sources.
pub(super) fn number(op: BinaryOp) -> i64 {
    match op {
        BinaryOp::Add => 0,
        BinaryOp::Sub => 1,
        BinaryOp::Mul => 2,
        BinaryOp::Div => 3,
        BinaryOp::Pow => 4,
        BinaryOp::Maximum => 5,
        BinaryOp::Minimum => 6,
    }
}

fn value<A: Real>(op: BinaryOp, x: A, y: A) -> A {
    match op {
        BinaryOp::Add => x + y,
        BinaryOp::Sub => x - y,
        BinaryOp::Mul => x * y,
        BinaryOp::Div => x / y,
        BinaryOp::Pow => x.powf(y),
        // NaN if either is.
        BinaryOp::Maximum => {
            if x > y || Float::is_nan(x) {
                x
            } else {
                y
            }
        }
        BinaryOp::Minimum => {
            if x < y || Float::is_nan(x) {
                x
            } else {
                y
            }
        }
    }
}

/// `f(a, b)` of two tensors of one shape and dtype.
pub(crate) fn binary(op: BinaryOp, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if a.dtype() == DType::I64 {
        return integer::binary(op, a, b);
    }
    let n = a.elem_count();
    let launch = Launch {
        kernel: &KERNEL,
        entry: "binary",
        dtype: a.dtype(),
        inputs: &[Some(a), Some(b)],
        scalars: &[Scalar::count(n), Scalar::Int(number(op))],
        grid: Grid::Pieces(n),
    };
    for_float!("binary", a.dtype(), T => launch.run::<T>(a.shape(), |host, z| {
        for ((z, a), b) in z.iter_mut().zip(host.get::<T>(0)?).zip(host.get::<T>(1)?) {
            *z = T::narrow(value(op, a.wide(), b.wide()));
        }
        Ok(())
    }))
}
