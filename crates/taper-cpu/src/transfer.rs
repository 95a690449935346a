//! Upload, download, filling, random numbers, and conversions between dtypes.

use crate::CpuBackend;
use crate::copy::copy_to;
use crate::layout::{dense_strides, is_dense, memory_order};
use crate::parallel::TASK;
use crate::storage::{Stored, for_dtype};
use half::{bf16, f16};
use taper_backend::{Buffer, DType, Distribution, Element, Error, HostData, RandomKey, Result, Shape};

pub(crate) fn upload(cpu: &CpuBackend, data: &HostData, shape: &Shape) -> Result<Buffer> {
    for_dtype!(data.dtype(), T => {
        let values = T::slice(data).unwrap_or_default();
        if values.len() != shape.count() {
            let detail = format!("{} values for shape {shape}, which takes {}", values.len(), shape.count());
            return Err(Error::shape("upload", detail));
        }
        let mut block = cpu.pool().alloc::<T>(values.len())?;
        block.copy_from_slice(values);
        Ok(cpu.wrap(shape.clone(), block))
    })
}

pub(crate) fn download(cpu: &CpuBackend, x: &Buffer) -> Result<HostData> {
    for_dtype!(x.dtype(), T => {
        let view = cpu.view::<T>(x)?;
        if let Some(values) = view.contiguous() {
            return Ok(T::wrap(values.to_vec()));
        }
        let mut values = vec![T::from_f64(0.0); x.count()];
        copy_to(cpu, &view, &mut values);
        Ok(T::wrap(values))
    })
}

pub(crate) fn fill(cpu: &CpuBackend, shape: &Shape, dtype: DType, value: f64) -> Result<Buffer> {
    for_dtype!(dtype, T => {
        let count = checked_count("fill", shape)?;
        let value = T::from_f64(value);
        let mut block = cpu.pool().alloc::<T>(count)?;
        cpu.for_chunks(&mut block, TASK, count, |_, part| part.fill(value));
        Ok(cpu.wrap(shape.clone(), block))
    })
}

pub(crate) fn random(
    cpu: &CpuBackend,
    shape: &Shape,
    dtype: DType,
    distribution: Distribution,
    key: RandomKey,
) -> Result<Buffer> {
    if !dtype.is_float() {
        return Err(cpu.unsupported("random", dtype));
    }
    let sampler = distribution.sampler(dtype, key)?;
    for_dtype!(dtype, T => {
        let count = checked_count("random", shape)?;
        let mut block = cpu.pool().alloc::<T>(count)?;
        // A random number costs tens of cycles, so tasks are smaller than for copies.
        cpu.for_chunks(&mut block, TASK / 8, count.saturating_mul(8), |task, part| {
            let first = task * (TASK / 8);
            part.iter_mut().enumerate().for_each(|(i, y)| *y = T::from_f64(sampler.draw((first + i) as u64)));
        });
        Ok(cpu.wrap(shape.clone(), block))
    })
}

/// The number of elements of `shape`; an error if it overflows `usize`.
fn checked_count(op: &'static str, shape: &Shape) -> Result<usize> {
    let product = shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    match product {
        Some(count) => Ok(count),
        None if shape.contains(&0) => Ok(0),
        None => Err(Error::shape(op, format!("shape {shape} has more elements than can be counted"))),
    }
}

pub(crate) fn assign(cpu: &CpuBackend, target: &mut Buffer, source: &Buffer) -> Result<()> {
    for_dtype!(source.dtype(), T => {
        let from = cpu.view::<T>(source)?;
        let strides = cpu.strided(target)?.strides.clone();
        let count = source.count();
        // Walk both in the memory order of the target.
        let order = memory_order(&strides);
        let dims: Vec<usize> = order.iter().map(|&i| from.shape[i]).collect();
        let from_strides: Vec<usize> = order.iter().map(|&i| from.strides[i]).collect();
        let from = crate::storage::View { shape: &dims, strides: &from_strides, ..from };
        if let Some(values) = cpu.unique_mut::<T>(target) {
            copy_to(cpu, &from, values);
            return Ok(());
        }
        let mut block = cpu.pool().alloc::<T>(count)?;
        copy_to(cpu, &from, &mut block);
        let strides = if is_dense(source.shape(), &strides) { strides } else { dense_strides(source.shape(), &order) };
        *target = cpu.wrap_strided(source.shape().clone(), strides, block);
        Ok(())
    })
}

/// Conversions between element types, as [`taper_backend::Backend::cast`] defines them.
trait Convert<U> {
    fn convert(self) -> U;
}
macro_rules! convert {
    ($from:ty => $($to:ty: $x:ident => $body:expr),+) => {$(
        impl Convert<$to> for $from {
            #[inline(always)]
            fn convert(self) -> $to {
                let $x = self;
                $body
            }
        }
    )+};
}
convert!(f32 => f32: x => x, f64: x => x as f64, f16: x => f16::from_f32(x), bf16: x => bf16::from_f32(x), u8: x => x as u8, i64: x => x as i64);
convert!(f64 => f32: x => x as f32, f64: x => x, f16: x => <f16 as Element>::from_f64(x), bf16: x => <bf16 as Element>::from_f64(x), u8: x => x as u8, i64: x => x as i64);
convert!(f16 => f32: x => x.to_f32(), f64: x => x.to_f64(), f16: x => x, bf16: x => bf16::from_f32(x.to_f32()), u8: x => x.to_f32() as u8, i64: x => x.to_f32() as i64);
convert!(bf16 => f32: x => x.to_f32(), f64: x => x.to_f64(), f16: x => f16::from_f32(x.to_f32()), bf16: x => x, u8: x => x.to_f32() as u8, i64: x => x.to_f32() as i64);
convert!(u8 => f32: x => x as f32, f64: x => x as f64, f16: x => f16::from_f32(x as f32), bf16: x => bf16::from_f32(x as f32), u8: x => x, i64: x => x as i64);
// To u8, integers saturate as floats do; i64 to a half goes through f64, in which halves round once.
convert!(i64 => f32: x => x as f32, f64: x => x as f64, f16: x => <f16 as Element>::from_f64(x as f64), bf16: x => <bf16 as Element>::from_f64(x as f64), u8: x => x.clamp(0, 255) as u8, i64: x => x);

/// Computes `f` of f16 or bf16 buffers in f32, and rounds the result to their dtype once.
pub(crate) fn in_f32<const N: usize>(
    cpu: &CpuBackend,
    halves: [&Buffer; N],
    f: impl FnOnce([&Buffer; N]) -> Result<Buffer>,
) -> Result<Buffer> {
    let wide = halves.iter().map(|x| cast(cpu, x, DType::F32)).collect::<Result<Vec<_>>>()?;
    cast(cpu, &f(std::array::from_fn(|i| &wide[i]))?, halves[0].dtype())
}

pub(crate) fn cast(cpu: &CpuBackend, x: &Buffer, dtype: DType) -> Result<Buffer> {
    if x.dtype() == dtype {
        return Ok(x.clone());
    }
    for_dtype!(x.dtype(), T => for_dtype!(dtype, U => cast_to::<T, U>(cpu, x)))
}

fn cast_to<T: Stored + Convert<U>, U: Stored>(cpu: &CpuBackend, x: &Buffer) -> Result<Buffer> {
    let dense = if cpu.view::<T>(x)?.dense().is_some() { x.clone() } else { cpu.to_contiguous(x)? };
    let from = cpu.view::<T>(&dense)?;
    let values = from.dense().unwrap_or_default();
    let mut block = cpu.pool().alloc::<U>(values.len())?;
    cpu.for_chunks(&mut block, TASK, values.len(), |i, out| {
        out.iter_mut().zip(&values[i * TASK..]).for_each(|(y, &x)| *y = x.convert());
    });
    Ok(cpu.wrap_strided(x.shape().clone(), from.strides.to_vec(), block))
}
