//! The Euclidean norm √Σx² of all elements.
//!
//! The squares of f32 values are exact in f64 and far from its limits. Those of f64 values may overflow or underflow:
//! if their sum shows it, the sum is computed again with x divided by a power of two near max|x|.

use crate::CpuBackend;
use crate::isa::multiversion;
use crate::math::Float;
use crate::parallel::TASK;
use crate::storage::for_float;
use crate::transfer::cast;
use taper_backend::{Buffer, DType, Rim, Shape};

/// The number of partial sums, added in order at the end.
const LANES: usize = 32;
/// A sum of squares from `SMALLEST` to `1 / SMALLEST` has lost nothing significant to overflow or underflow.
const SMALLEST: f64 = 1e-280;

multiversion! {
    /// Σx².
    fn squares<T: Float>(x: &[T]) -> f64 {
        let mut lanes = [0.0; LANES];
        let (groups, rest) = x.as_chunks::<LANES>();
        for group in groups {
            for l in 0..LANES {
                let x = group[l].wide();
                lanes[l] += x * x;
            }
        }
        for l in 0..rest.len() {
            let x = rest[l].wide();
            lanes[l] += x * x;
        }
        let mut sum = 0.0;
        for lane in lanes {
            sum += lane;
        }
        sum
    }
}

pub(crate) fn norm(cpu: &CpuBackend, x: &Buffer) -> Rim<Buffer> {
    let x = if x.dtype().size() == 2 { cast(cpu, x, DType::F32)? } else { x.clone() };
    let norm = for_float!(x.dtype(), T => {
        let dense = if cpu.view::<T>(&x)?.dense().is_some() { x.clone() } else { cpu.to_contiguous(&x)? };
        of::<T>(cpu, cpu.view::<T>(&dense)?.dense().unwrap_or_default())
    }, else return Err(cpu.unsupported("norm", x.dtype())));
    let mut block = cpu.pool().alloc::<f64>(1)?;
    block[0] = norm;
    Ok(Some(cpu.wrap(Shape::scalar(), block)))
}

fn of<T: Float>(cpu: &CpuBackend, x: &[T]) -> f64 {
    let part = |i: usize| squares(cpu.isa(), &x[i * TASK..x.len().min((i + 1) * TASK)]);
    let sum: f64 = cpu.map_tasks(x.len().div_ceil(TASK), x.len(), part).into_iter().sum();
    if sum.is_nan() || (SMALLEST..=1.0 / SMALLEST).contains(&sum) {
        return sum.sqrt();
    }
    let largest = x.iter().fold(0.0f64, |largest, x| largest.max(x.wide().abs()));
    if largest == 0.0 || largest.is_infinite() {
        return largest;
    }
    // Division by a power of two rounds nothing. It takes two steps, since f64 does not hold 2^1074.
    let exponent = largest.log2().floor() as i32;
    let powers = [exponent / 2, exponent - exponent / 2].map(|power| 2f64.powi(power));
    let sum: f64 = x.iter().map(|x| (x.wide() / powers[0] / powers[1]).powi(2)).sum();
    sum.sqrt() * powers[0] * powers[1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_backend::{Device, HostData};

    fn of_f64(values: Vec<f64>) -> f64 {
        let device = Device::new(CpuBackend::with_threads(2).unwrap());
        let x = device.upload(&HostData::F64(values.clone()), &[values.len()].into()).unwrap();
        let norm = device.norm(&x).unwrap().unwrap();
        assert_eq!((norm.dtype(), norm.shape()), (DType::F64, &Shape::scalar()));
        device.download(&norm).unwrap().to_f64()[0]
    }

    fn of_f32(values: Vec<f32>) -> f64 {
        let device = Device::new(CpuBackend::with_threads(2).unwrap());
        let x = device.upload(&HostData::F32(values.clone()), &[values.len()].into()).unwrap();
        device.download(&device.norm(&x).unwrap().unwrap()).unwrap().to_f64()[0]
    }

    #[test]
    fn squares_neither_overflow_nor_vanish() {
        for scale in [1.0, 1e-30, 1e-200, 1e200, 1e307, 2f64.powi(-1074), 2f64.powi(-1050), 2f64.powi(1020)] {
            let found = of_f64(vec![3.0 * scale, 0.0, -4.0 * scale]) / scale;
            assert!((found - 5.0).abs() < 1e-14, "{scale}: {found}");
        }
        assert_eq!(of_f64(vec![1e200, 1e-200, -1e100]), 1e200);
        assert_eq!(of_f32(vec![2e19; 4]), 2.0 * f64::from(2e19f32));
        assert_eq!(of_f32(vec![3e38; 4]), 2.0 * f64::from(3e38f32));
        assert_eq!(of_f32(vec![3e-45, 0.0, -4e-45]), f64::from(3e-45f32).hypot(f64::from(4e-45f32)));
    }

    #[test]
    fn special_values_and_nothing() {
        assert_eq!(of_f64(vec![]), 0.0);
        assert_eq!(of_f64(vec![0.0, -0.0]), 0.0);
        assert_eq!(of_f64(vec![1.0, f64::NEG_INFINITY]), f64::INFINITY);
        assert_eq!(of_f32(vec![f32::INFINITY, 1.0]), f64::INFINITY);
        assert!(of_f64(vec![1e200, f64::NAN]).is_nan() && of_f32(vec![f32::INFINITY, f32::NAN]).is_nan());
        assert!(of_f64(vec![f64::INFINITY, f64::NAN]).is_nan());
    }

    /// 10⁷ terms: the error is that of a sum in f64.
    #[test]
    fn long_sums_are_exact_in_f32() {
        let found = of_f32(vec![0.1; 10_000_000]);
        let due = f64::from(0.1f32) * 1e7f64.sqrt();
        assert!((found / due - 1.0).abs() < 1e-12, "{found} instead of {due}");
    }
}
