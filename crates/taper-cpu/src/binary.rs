//! `z = f(x, y)`, comparisons and choices, element by element, with broadcasting.

use crate::elementwise::{map2, map3};
use crate::isa::multiversion;
use crate::math::Float;
use crate::storage::{Stored, for_dtype, for_float};
use crate::{CpuBackend, transfer};
use taper_backend::{BinaryOp, Buffer, CompareOp, DType, Result};

/// A function of two numbers.
pub(crate) trait Function2<T>: Copy + Send + Sync {
    fn at(self, a: T, b: T) -> T;
}

multiversion! {
    /// `y[i] = f(a[i], b[i])`.
    pub(crate) fn apply2<T: Float, F: Function2<T>>(f: F, a: &[T], b: &[T], y: &mut [T]) {
        for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
            *y = f.at(a, b);
        }
    }
}

macro_rules! functions {
    ($($name:ident: $a:ident, $b:ident => $body:expr),* $(,)?) => {
        fn kernel<T: Float>(cpu: &CpuBackend, op: BinaryOp, a: &Buffer, b: &Buffer) -> Result<Buffer> {
            match op {
                $(BinaryOp::$name => {
                    #[derive(Clone, Copy)]
                    struct F;
                    impl<T: Float> Function2<T> for F {
                        #[inline(always)]
                        fn at(self, $a: T, $b: T) -> T {
                            $body
                        }
                    }
                    map2::<T, T, T>(cpu, name(op), a, b, &|a, b, y| apply2(cpu.isa(), F, a, b, y))
                })*
            }
        }
    };
}

functions! {
    Add: a, b => a + b,
    Sub: a, b => a - b,
    Mul: a, b => a * b,
    Div: a, b => a / b,
    Pow: a, b => a.powf(b),
    Maximum: a, b => a.larger(b),
    Minimum: a, b => a.smaller(b),
}

pub(crate) fn binary(cpu: &CpuBackend, op: BinaryOp, a: &Buffer, b: &Buffer) -> Result<Buffer> {
    match a.dtype() {
        DType::F16 | DType::BF16 => {
            let wide = |x| transfer::cast(cpu, x, DType::F32);
            transfer::cast(cpu, &binary(cpu, op, &wide(a)?, &wide(b)?)?, a.dtype())
        }
        DType::I64 => integers(cpu, op, a, b),
        dtype => for_float!(dtype, T => kernel::<T>(cpu, op, a, b), else Err(cpu.unsupported(name(op), dtype))),
    }
}

fn integers(cpu: &CpuBackend, op: BinaryOp, a: &Buffer, b: &Buffer) -> Result<Buffer> {
    let f: fn(i64, i64) -> i64 = match op {
        BinaryOp::Add => i64::wrapping_add,
        BinaryOp::Sub => i64::wrapping_sub,
        BinaryOp::Mul => i64::wrapping_mul,
        BinaryOp::Div => |a, b| if b == 0 { 0 } else { a.wrapping_div(b) },
        BinaryOp::Maximum => i64::max,
        BinaryOp::Minimum => i64::min,
        BinaryOp::Pow => return Err(cpu.unsupported(name(op), DType::I64)),
    };
    map2::<i64, i64, i64>(cpu, name(op), a, b, &|a, b, y| {
        y.iter_mut().zip(a).zip(b).for_each(|((y, &a), &b)| *y = f(a, b));
    })
}

pub(crate) fn compare(cpu: &CpuBackend, op: CompareOp, a: &Buffer, b: &Buffer) -> Result<Buffer> {
    for_dtype!(a.dtype(), T => match op {
        CompareOp::Eq => comparison::<T>(cpu, a, b, |a, b| a == b),
        CompareOp::Ne => comparison::<T>(cpu, a, b, |a, b| a != b),
        CompareOp::Lt => comparison::<T>(cpu, a, b, |a, b| a < b),
        CompareOp::Le => comparison::<T>(cpu, a, b, |a, b| a <= b),
        CompareOp::Gt => comparison::<T>(cpu, a, b, |a, b| a > b),
        CompareOp::Ge => comparison::<T>(cpu, a, b, |a, b| a >= b),
    })
}

fn comparison<T: Stored>(
    cpu: &CpuBackend,
    a: &Buffer,
    b: &Buffer,
    holds: impl Fn(T, T) -> bool + Send + Sync,
) -> Result<Buffer> {
    map2::<T, T, u8>(cpu, "compare", a, b, &|a, b, y| {
        y.iter_mut().zip(a).zip(b).for_each(|((y, &a), &b)| *y = u8::from(holds(a, b)));
    })
}

pub(crate) fn select(cpu: &CpuBackend, condition: &Buffer, a: &Buffer, b: &Buffer) -> Result<Buffer> {
    for_dtype!(a.dtype(), T => map3::<u8, T, T, T>(cpu, "select", [condition, a, b], &|c, a, b, y| {
        y.iter_mut().zip(c).zip(a).zip(b).for_each(|(((y, &c), &a), &b)| *y = if c != 0 { a } else { b });
    }))
}

/// The name that errors use.
fn name(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Add => "add",
        BinaryOp::Sub => "sub",
        BinaryOp::Mul => "mul",
        BinaryOp::Div => "div",
        BinaryOp::Pow => "pow",
        BinaryOp::Maximum => "maximum",
        BinaryOp::Minimum => "minimum",
    }
}
