//! Elementwise functions `y = f(x)`.

use crate::elementwise::map1;
use crate::isa::multiversion;
use crate::math::Float;
use crate::storage::for_float;
use crate::{CpuBackend, transfer};
use taper_backend::{Buffer, DType, Result, UnaryOp};

/// A function of one number.
pub(crate) trait Function<T>: Copy + Send + Sync {
    fn at(self, x: T) -> T;
}

multiversion! {
    /// `y[i] = f(x[i])`.
    pub(crate) fn apply<T: Float, F: Function<T>>(f: F, x: &[T], y: &mut [T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = f.at(x);
        }
    }
}

macro_rules! functions {
    ($($name:ident: $x:ident => $body:expr),* $(,)?) => {
        /// Applies `op` to each element of `x`.
        fn kernel<T: Float>(cpu: &CpuBackend, op: UnaryOp, x: &Buffer) -> Result<Buffer> {
            match op {
                $(UnaryOp::$name => {
                    #[derive(Clone, Copy)]
                    struct F;
                    impl<T: Float> Function<T> for F {
                        #[inline(always)]
                        fn at(self, $x: T) -> T {
                            $body
                        }
                    }
                    map1::<T, T>(cpu, x, &|x, y| apply(cpu.isa(), F, x, y))
                })*
            }
        }
    };
}

functions! {
    Neg: x => -x,
    Abs: x => x.abs(),
    Sign: x => if x > T::ZERO { T::ONE } else if x < T::ZERO { -T::ONE } else { x },
    Exp: x => x.exp(),
    Expm1: x => x.exp_m1(),
    ExpNegSquare: x => x.exp_neg_square(),
    Log: x => x.ln(),
    Log1p: x => x.ln_1p(),
    Sqrt: x => x.sqrt(),
    Recip: x => T::ONE / x,
    Sin: x => x.sin(),
    Cos: x => x.cos(),
    Atan: x => x.atan(),
    Tanh: x => x.tanh(),
    Sigmoid: x => x.sigmoid(),
    Erf: x => x.erf(),
    NormalCdf: x => x.normal_cdf(),
    NormalPdf: x => x.normal_pdf(),
    Floor: x => x.floor(),
}

pub(crate) fn unary(cpu: &CpuBackend, op: UnaryOp, x: &Buffer) -> Result<Buffer> {
    match (x.dtype(), op) {
        (DType::F16 | DType::BF16, _) => {
            let y = unary(cpu, op, &transfer::cast(cpu, x, DType::F32)?)?;
            transfer::cast(cpu, &y, x.dtype())
        }
        (DType::I64, UnaryOp::Neg) => integers(cpu, x, i64::wrapping_neg),
        (DType::I64, UnaryOp::Abs) => integers(cpu, x, i64::wrapping_abs),
        (DType::I64, UnaryOp::Sign) => integers(cpu, x, i64::signum),
        (dtype, op) => for_float!(dtype, T => kernel::<T>(cpu, op, x), else Err(cpu.unsupported(name(op), dtype))),
    }
}

fn integers(cpu: &CpuBackend, x: &Buffer, f: impl Fn(i64) -> i64 + Send + Sync) -> Result<Buffer> {
    map1::<i64, i64>(cpu, x, &|x, y| y.iter_mut().zip(x).for_each(|(y, &x)| *y = f(x)))
}

/// The name of the operation in error messages.
fn name(op: UnaryOp) -> &'static str {
    match op {
        UnaryOp::Neg => "neg",
        UnaryOp::Abs => "abs",
        UnaryOp::Sign => "sign",
        UnaryOp::Exp => "exp",
        UnaryOp::Expm1 => "expm1",
        UnaryOp::ExpNegSquare => "exp_neg_square",
        UnaryOp::Log => "log",
        UnaryOp::Log1p => "log1p",
        UnaryOp::Sqrt => "sqrt",
        UnaryOp::Recip => "recip",
        UnaryOp::Sin => "sin",
        UnaryOp::Cos => "cos",
        UnaryOp::Atan => "atan",
        UnaryOp::Tanh => "tanh",
        UnaryOp::Sigmoid => "sigmoid",
        UnaryOp::Erf => "erf",
        UnaryOp::NormalCdf => "normal_cdf",
        UnaryOp::NormalPdf => "normal_pdf",
        UnaryOp::Floor => "floor",
    }
}
