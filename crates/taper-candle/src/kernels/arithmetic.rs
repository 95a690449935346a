//! Elementwise `z = f(a, b)` on floats: candle's maximum and minimum lose a NaN, and its power does not take a negative
//! base. Integers are in [`integer`](super::integer).

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

/// The operation's number in `arithmetic.cu` and `integer.cu`.
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
        // NaN if x or y is NaN.
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

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn nans_negative_bases_and_views() -> Result<()> {
        let nan = f32::NAN;
        let of = |op, a: [f32; 4], b: [f32; 4]| {
            // Every second element of a matrix's rows.
            let x = |x: [f32; 4]| Tensor::new(&[x, [9.0; 4]], &Device::Cpu)?.t()?.narrow(1, 0, 1);
            binary(op, &x(a)?, &x(b)?)?.flatten_all()?.to_vec1::<f32>()
        };
        let larger = of(BinaryOp::Maximum, [1.0, nan, 2.0, -1.0], [3.0, 1.0, nan, -2.0])?;
        assert!(larger[1].is_nan() && larger[2].is_nan() && (larger[0], larger[3]) == (3.0, -1.0), "{larger:?}");
        let smaller = of(BinaryOp::Minimum, [1.0, nan, 2.0, -1.0], [3.0, 1.0, nan, -2.0])?;
        assert!(smaller[1].is_nan() && smaller[2].is_nan() && (smaller[0], smaller[3]) == (1.0, -2.0), "{smaller:?}");
        let powers = of(BinaryOp::Pow, [-2.0, -2.0, 0.0, -8.0], [3.0, -2.0, 0.0, 0.5])?;
        assert!(powers[..3] == [-8.0, 0.25, 1.0] && powers[3].is_nan(), "{powers:?}");
        Ok(())
    }

    #[test]
    fn integers_wrap_around() -> Result<()> {
        let of = |op, a: [i64; 4], b: [i64; 4]| {
            binary(op, &Tensor::new(&a, &Device::Cpu)?, &Tensor::new(&b, &Device::Cpu)?)?.to_vec1::<i64>()
        };
        assert_eq!(of(BinaryOp::Add, [i64::MAX, 1, 2, 3], [1, 1, 1, 1])?, [i64::MIN, 2, 3, 4]);
        assert_eq!(of(BinaryOp::Div, [i64::MIN, 7, -7, 5], [-1, 2, 2, 0])?, [i64::MIN, 3, -3, 0]);
        let negative = unary_i64(taper_backend::UnaryOp::Neg, &Tensor::new(&[i64::MIN, 3], &Device::Cpu)?)?;
        assert_eq!(negative.to_vec1::<i64>()?, [i64::MIN, -3]);
        assert!(of(BinaryOp::Pow, [1; 4], [1; 4]).is_err_and(|e| e.to_string().contains("i64")));
        Ok(())
    }
}
