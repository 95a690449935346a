//! Element types (dtypes), and host data of each.

use half::{bf16, f16};
use std::fmt;

/// The type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DType {
    /// 32-bit IEEE float: the usual dtype of training.
    F32,
    /// 64-bit IEEE float: the dtype of gradient checks.
    F64,
    /// 16-bit IEEE float; sums accumulate in f32.
    F16,
    /// 16-bit brain float; sums accumulate in f32.
    BF16,
    /// Unsigned byte: images, and the masks that comparisons give (0 or 1).
    U8,
    /// 64-bit signed integer: labels and indices.
    I64,
}

impl DType {
    /// The size of an element in bytes.
    pub const fn size(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::F16 | Self::BF16 => 2,
            Self::F32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }

    /// Whether it is a floating-point type. Only these have gradients.
    pub const fn is_float(self) -> bool {
        !matches!(self, Self::U8 | Self::I64)
    }

    /// The name as written in configurations and messages: `f32`, `i64`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
            Self::U8 => "u8",
            Self::I64 => "i64",
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Data on the host, in row-major order: what is uploaded to a device and downloaded from it.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // one variant for each dtype
pub enum HostData {
    F32(Vec<f32>),
    F64(Vec<f64>),
    F16(Vec<f16>),
    BF16(Vec<bf16>),
    U8(Vec<u8>),
    I64(Vec<i64>),
}

/// Runs `$body` with `$v` bound to the vector inside, for each dtype.
macro_rules! each {
    ($data:expr, $v:ident => $body:expr) => {
        match $data {
            HostData::F32($v) => $body,
            HostData::F64($v) => $body,
            HostData::F16($v) => $body,
            HostData::BF16($v) => $body,
            HostData::U8($v) => $body,
            HostData::I64($v) => $body,
        }
    };
}

impl HostData {
    /// The number of elements.
    pub fn len(&self) -> usize {
        each!(self, v => v.len())
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The dtype of the elements.
    pub fn dtype(&self) -> DType {
        match self {
            Self::F32(_) => DType::F32,
            Self::F64(_) => DType::F64,
            Self::F16(_) => DType::F16,
            Self::BF16(_) => DType::BF16,
            Self::U8(_) => DType::U8,
            Self::I64(_) => DType::I64,
        }
    }

    /// The elements as f64: exact, except for integers beyond ±2⁵³.
    pub fn to_f64(&self) -> Vec<f64> {
        each!(self, v => v.iter().map(|x| x.to_f64()).collect())
    }

    /// `values` rounded to `dtype`. Floats to integers truncate towards zero and saturate, as `as` does.
    pub fn from_f64(values: &[f64], dtype: DType) -> Self {
        fn to<T: Element>(values: &[f64]) -> HostData {
            T::wrap(values.iter().map(|&x| T::from_f64(x)).collect())
        }
        match dtype {
            DType::F32 => to::<f32>(values),
            DType::F64 => to::<f64>(values),
            DType::F16 => to::<f16>(values),
            DType::BF16 => to::<bf16>(values),
            DType::U8 => to::<u8>(values),
            DType::I64 => to::<i64>(values),
        }
    }
}

/// A Rust type that elements of a [`DType`] have on the host.
pub trait Element: Copy + Send + Sync + fmt::Debug + PartialEq + 'static {
    /// The dtype of this type.
    const DTYPE: DType;
    /// The value as f64.
    fn to_f64(self) -> f64;
    /// The value nearest to `x`. Integers truncate towards zero and saturate, as `as` does.
    fn from_f64(x: f64) -> Self;
    /// Wraps a vector as host data.
    fn wrap(values: Vec<Self>) -> HostData;
    /// The vector inside, or `None` when it holds another dtype.
    fn unwrap(data: HostData) -> Option<Vec<Self>>;
    /// The elements inside, borrowed, or `None` when it holds another dtype.
    fn slice(data: &HostData) -> Option<&[Self]>;
}

/// `x` as f32, rounded to odd: where f32 does not hold it, the neighbour whose last bit is 1. Rounding that to a dtype with at
/// least two digits fewer gives what rounding `x` itself would, since no tie is made on the way (Boldo and Melquiond 2008).
fn to_odd(x: f64) -> f32 {
    let near = x as f32;
    let bits = near.to_bits();
    if f64::from(near) == x || x.is_nan() || bits & 1 == 1 {
        return near;
    }
    // The other neighbour; bits count up with the magnitude, for either sign.
    f32::from_bits(if x.abs() > f64::from(near).abs() { bits + 1 } else { bits - 1 })
}

macro_rules! element {
    ($t:ty, $variant:ident, $x:ident => $to:expr, $y:ident => $from:expr) => {
        impl Element for $t {
            const DTYPE: DType = DType::$variant;
            fn to_f64(self) -> f64 {
                let $x = self;
                $to
            }
            fn from_f64($y: f64) -> Self {
                $from
            }
            fn wrap(values: Vec<Self>) -> HostData {
                HostData::$variant(values)
            }
            fn unwrap(data: HostData) -> Option<Vec<Self>> {
                match data {
                    HostData::$variant(values) => Some(values),
                    _ => None,
                }
            }
            fn slice(data: &HostData) -> Option<&[Self]> {
                match data {
                    HostData::$variant(values) => Some(values),
                    _ => None,
                }
            }
        }
    };
}
element!(f32, F32, x => x as f64, y => y as f32);
element!(f64, F64, x => x, y => y);
// Not by half's `from_f64`, which looks at the upper 32 bits alone, or rounds twice where the processor has f16.
element!(f16, F16, x => x.to_f64(), y => f16::from_f32(to_odd(y)));
element!(bf16, BF16, x => x.to_f64(), y => bf16::from_f32(to_odd(y)));
element!(u8, U8, x => x as f64, y => y as u8);
element!(i64, I64, x => x as f64, y => y as i64);

#[cfg(test)]
mod tests {
    use super::*;

    /// Between each two neighbours of a dtype with 16 bits: the tie, and what is beside it by less than f32 can say.
    fn rounds<T: Element>(of_bits: impl Fn(u16) -> T, infinity: u16) {
        for low in 0..infinity {
            let [a, b] = [low, low + 1].map(|bits| of_bits(bits).to_f64());
            // Beyond the largest lies what the next power of two would be.
            let b = if b.is_finite() { b } else { 2.0 * a - of_bits(low - 1).to_f64() };
            let tie = (a + b) / 2.0;
            let even = of_bits(low + (low & 1)).to_f64();
            let [upper, lower] = [of_bits(low + 1).to_f64(), of_bits(low).to_f64()];
            for sign in [1.0, -1.0] {
                let of = |x: f64| T::from_f64(sign * x).to_f64();
                let found =
                    [of(tie), of(tie * (1.0 + 4.0 * f64::EPSILON)), of(tie * (1.0 - 4.0 * f64::EPSILON)), of(lower)];
                assert_eq!(found, [even, upper, lower, lower].map(|x| sign * x), "{low:#x}: {a:e} {b:e}");
            }
        }
    }

    #[test]
    fn halves_are_rounded_once() {
        rounds(f16::from_bits, f16::INFINITY.to_bits());
        rounds(bf16::from_bits, bf16::INFINITY.to_bits());
        assert!(<f16 as Element>::from_f64(f64::NAN).is_nan() && <bf16 as Element>::from_f64(f64::NAN).is_nan());
        assert_eq!(<bf16 as Element>::from_f64(1e300), bf16::INFINITY);
        assert_eq!(<f16 as Element>::from_f64(-1e-300).to_bits(), 0x8000);
    }
}
