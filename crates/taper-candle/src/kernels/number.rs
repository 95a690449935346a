//! The number types that kernels store and those that they compute in: halves are stored as such, and computed in f32.

use candle_core::WithDType;
use half::{bf16, f16};
use num_traits::Float;

/// f32 or f64, the types that kernels compute in: `A` in their sources.
pub(crate) trait Real: WithDType + Float {
    /// erfc x = 1 − erf x, to the dtype's precision.
    fn erfc(self) -> Self;

    /// `x` rounded to this type.
    fn of(x: f64) -> Self {
        Self::from_f64(x)
    }
}

impl Real for f32 {
    fn erfc(self) -> Self {
        libm::erfcf(self)
    }
}

impl Real for f64 {
    fn erfc(self) -> Self {
        libm::erfc(self)
    }
}

/// A float type of stored elements: `T` in the sources.
pub(crate) trait Number: WithDType {
    /// The type that elements are computed in.
    type Wide: Real;
    fn wide(self) -> Self::Wide;
    /// Rounds to nearest, ties to even.
    fn narrow(x: Self::Wide) -> Self;
}

macro_rules! number {
    ($($t:ty, $wide:ty: $x:ident => $to:expr, $from:expr;)*) => {
        $(impl Number for $t {
            type Wide = $wide;
            fn wide(self) -> $wide {
                let $x = self;
                $to
            }
            fn narrow($x: $wide) -> Self {
                $from
            }
        })*
    };
}
number! {
    f32, f32: x => x, x;
    f64, f64: x => x, x;
    f16, f32: x => x.to_f32(), f16::from_f32(x);
    bf16, f32: x => x.to_f32(), bf16::from_f32(x);
}

/// Runs `$body` with `$t` standing for the Rust type of a float dtype.
macro_rules! for_float {
    ($op:expr, $dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            candle_core::DType::F32 => {
                type $t = f32;
                $body
            }
            candle_core::DType::F64 => {
                type $t = f64;
                $body
            }
            candle_core::DType::F16 => {
                type $t = half::f16;
                $body
            }
            candle_core::DType::BF16 => {
                type $t = half::bf16;
                $body
            }
            other => candle_core::bail!("{}: expected floats, came {}", $op, other.as_str()),
        }
    };
}
pub(crate) use for_float;

/// The dtype that elements of `dtype` are computed in: f64 for f64, else f32.
pub(crate) fn wide_dtype(dtype: candle_core::DType) -> candle_core::DType {
    use candle_core::DType;
    if dtype == DType::F64 { DType::F64 } else { DType::F32 }
}
