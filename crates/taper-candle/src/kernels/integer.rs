//! Wrapping arithmetic on i64; n / 0 is 0. Candle has no wrapping arithmetic and no negation of integers.

use super::arithmetic::number;
use super::launch::{Grid, Launch, Scalar};
use super::source::Kernel;
use candle_core::{DType, Result, Tensor, bail};
use taper_backend::{BinaryOp, UnaryOp};

pub(crate) const KERNEL: Kernel = Kernel {
    name: "integer",
    text: include_str!("integer.cu"),
    dtypes: &[DType::I64],
    entries: &["integer_binary", "integer_unary"],
};

/// `op(a, b)` of two i64 tensors of one shape.
pub(crate) fn binary(op: BinaryOp, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let f: fn(i64, i64) -> i64 = match op {
        BinaryOp::Add => i64::wrapping_add,
        BinaryOp::Sub => i64::wrapping_sub,
        BinaryOp::Mul => i64::wrapping_mul,
        BinaryOp::Div => |a, b| if b == 0 { 0 } else { a.wrapping_div(b) },
        BinaryOp::Maximum => i64::max,
        BinaryOp::Minimum => i64::min,
        BinaryOp::Pow => bail!("pow: expected floats, came i64"),
    };
    let n = a.elem_count();
    let launch = Launch {
        kernel: &KERNEL,
        entry: "integer_binary",
        dtype: DType::I64,
        inputs: &[Some(a), Some(b)],
        scalars: &[Scalar::count(n), Scalar::Int(number(op))],
        grid: Grid::Pieces(n),
    };
    launch.run::<i64>(a.shape(), |host, z| {
        z.iter_mut().zip(host.get::<i64>(0)?).zip(host.get::<i64>(1)?).for_each(|((z, &a), &b)| *z = f(a, b));
        Ok(())
    })
}

/// `op(x)` of an i64 tensor: negation, absolute value or sign.
pub(crate) fn unary(op: UnaryOp, x: &Tensor) -> Result<Tensor> {
    let (number, f): (i64, fn(i64) -> i64) = match op {
        UnaryOp::Neg => (0, i64::wrapping_neg),
        UnaryOp::Abs => (1, i64::wrapping_abs),
        UnaryOp::Sign => (2, i64::signum),
        other => bail!("{other:?}: expected floats, came i64"),
    };
    let n = x.elem_count();
    let launch = Launch {
        kernel: &KERNEL,
        entry: "integer_unary",
        dtype: DType::I64,
        inputs: &[Some(x)],
        scalars: &[Scalar::count(n), Scalar::Int(number)],
        grid: Grid::Pieces(n),
    };
    launch.run::<i64>(x.shape(), |host, y| {
        y.iter_mut().zip(host.get::<i64>(0)?).for_each(|(y, &x)| *y = f(x));
        Ok(())
    })
}
