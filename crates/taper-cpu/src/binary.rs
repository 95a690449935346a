//! Elementwise functions of two numbers, comparisons and `select`, with broadcasting.

use crate::elementwise::{map1, map2, map3};
use crate::isa::multiversion;
use crate::math::Float;
use crate::storage::{Stored, for_dtype, for_float};
use crate::unary::{Function, apply};
use crate::{CpuBackend, transfer};
use taper_backend::{BinaryOp, Buffer, CompareOp, DType, Element, Result};

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

        fn scalar_kernel<T: Float>(cpu: &CpuBackend, op: BinaryOp, x: &Buffer, number: T, first: bool) -> Result<Buffer> {
            match op {
                $(BinaryOp::$name => {
                    #[derive(Clone, Copy)]
                    struct First<T>(T);
                    impl<T: Float> Function<T> for First<T> {
                        #[inline(always)]
                        fn at(self, $b: T) -> T {
                            let $a = self.0;
                            $body
                        }
                    }
                    #[derive(Clone, Copy)]
                    struct Second<T>(T);
                    impl<T: Float> Function<T> for Second<T> {
                        #[inline(always)]
                        fn at(self, $a: T) -> T {
                            let $b = self.0;
                            $body
                        }
                    }
                    if first && !COMMUTES.contains(&op) {
                        map1::<T, T>(cpu, x, &|x, y| apply(cpu.isa(), First(number), x, y))
                    } else {
                        map1::<T, T>(cpu, x, &|x, y| apply(cpu.isa(), Second(number), x, y))
                    }
                })*
            }
        }
    };
}

/// The commutative operations, which need no kernel of their own for a scalar as the first operand.
const COMMUTES: [BinaryOp; 4] = [BinaryOp::Add, BinaryOp::Mul, BinaryOp::Maximum, BinaryOp::Minimum];

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

pub(crate) fn binary_scalar(
    cpu: &CpuBackend,
    op: BinaryOp,
    x: &Buffer,
    number: f64,
    number_first: bool,
) -> Result<Buffer> {
    match x.dtype() {
        DType::F16 | DType::BF16 => {
            let y = binary_scalar(cpu, op, &transfer::cast(cpu, x, DType::F32)?, number, number_first)?;
            transfer::cast(cpu, &y, x.dtype())
        }
        DType::I64 => {
            let (f, number) = (integer(cpu, op)?, number as i64);
            map1::<i64, i64>(cpu, x, &|x, y| {
                y.iter_mut().zip(x).for_each(|(y, &x)| *y = if number_first { f(number, x) } else { f(x, number) });
            })
        }
        dtype => for_float!(dtype, T => {
            let number = T::of(number);
            if op == BinaryOp::Pow && !number_first && let Some(y) = small_power::<T>(cpu, x, number) {
                return y;
            }
            scalar_kernel::<T>(cpu, op, x, number, number_first)
        }, else Err(cpu.unsupported(name(op), dtype))),
    }
}

/// x², x³ and 1 / x for the exponents 2, 3 and −1, as products and a quotient; `None` for other exponents.
fn small_power<T: Float>(cpu: &CpuBackend, x: &Buffer, exponent: T) -> Option<Result<Buffer>> {
    macro_rules! power {
        ($x:ident => $body:expr) => {{
            #[derive(Clone, Copy)]
            struct F;
            impl<T: Float> Function<T> for F {
                #[inline(always)]
                fn at(self, $x: T) -> T {
                    $body
                }
            }
            Some(map1::<T, T>(cpu, x, &|x, y| apply(cpu.isa(), F, x, y)))
        }};
    }
    match exponent.wide() {
        2.0 => power!(x => x * x),
        3.0 => power!(x => x * x * x),
        -1.0 => power!(x => T::ONE / x),
        _ => None,
    }
}

/// `op` as a function of two integers. Overflow wraps, and division by 0 gives 0.
fn integer(cpu: &CpuBackend, op: BinaryOp) -> Result<fn(i64, i64) -> i64> {
    Ok(match op {
        BinaryOp::Add => i64::wrapping_add,
        BinaryOp::Sub => i64::wrapping_sub,
        BinaryOp::Mul => i64::wrapping_mul,
        BinaryOp::Div => |a, b| if b == 0 { 0 } else { a.wrapping_div(b) },
        BinaryOp::Maximum => i64::max,
        BinaryOp::Minimum => i64::min,
        BinaryOp::Pow => return Err(cpu.unsupported(name(op), DType::I64)),
    })
}

fn integers(cpu: &CpuBackend, op: BinaryOp, a: &Buffer, b: &Buffer) -> Result<Buffer> {
    let f = integer(cpu, op)?;
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

pub(crate) fn compare_scalar(cpu: &CpuBackend, op: CompareOp, x: &Buffer, number: f64) -> Result<Buffer> {
    for_dtype!(x.dtype(), T => {
        let number = T::from_f64(number);
        match op {
            CompareOp::Eq => scalar_comparison::<T>(cpu, x, |x| x == number),
            CompareOp::Ne => scalar_comparison::<T>(cpu, x, |x| x != number),
            CompareOp::Lt => scalar_comparison::<T>(cpu, x, |x| x < number),
            CompareOp::Le => scalar_comparison::<T>(cpu, x, |x| x <= number),
            CompareOp::Gt => scalar_comparison::<T>(cpu, x, |x| x > number),
            CompareOp::Ge => scalar_comparison::<T>(cpu, x, |x| x >= number),
        }
    })
}

fn scalar_comparison<T: Stored>(
    cpu: &CpuBackend,
    x: &Buffer,
    holds: impl Fn(T) -> bool + Send + Sync,
) -> Result<Buffer> {
    map1::<T, u8>(cpu, x, &|x, y| y.iter_mut().zip(x).for_each(|(y, &x)| *y = u8::from(holds(x))))
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

/// The name of the operation in error messages.
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
