//! Conversions between buffers, candle's tensors and host data. A buffer holds a candle tensor of its shape and dtype;
//! views are candle's own, strides over shared storage.

use candle_core::{DType as CandleDType, Device, Shape as CandleShape, Tensor};
use half::{bf16, f16};
use taper_backend::{Buffer, DType, Element, HostData, Shape};

pub(crate) type CandleResult<T> = candle_core::Result<T>;

/// Candle's dtype for `dtype`.
pub(crate) fn candle_dtype(dtype: DType) -> CandleDType {
    match dtype {
        DType::F32 => CandleDType::F32,
        DType::F64 => CandleDType::F64,
        DType::F16 => CandleDType::F16,
        DType::BF16 => CandleDType::BF16,
        DType::U8 => CandleDType::U8,
        DType::I64 => CandleDType::I64,
    }
}

/// The contract's dtype for candle's `dtype`.
///
/// # Errors
/// A dtype that the contract does not have.
fn dtype_of(dtype: CandleDType) -> CandleResult<DType> {
    Ok(match dtype {
        CandleDType::F32 => DType::F32,
        CandleDType::F64 => DType::F64,
        CandleDType::F16 => DType::F16,
        CandleDType::BF16 => DType::BF16,
        CandleDType::U8 => DType::U8,
        CandleDType::I64 => DType::I64,
        other => candle_core::bail!("no dtype of the contract is {other:?}"),
    })
}

/// A buffer over `tensor`.
pub(crate) fn buffer(tensor: Tensor) -> CandleResult<Buffer> {
    Ok(Buffer::new(Shape::from(tensor.dims()), dtype_of(tensor.dtype())?, tensor))
}

/// Whether candle's `dtype` is f16 or bf16, whose arithmetic is done in f32.
pub(crate) fn is_half(dtype: CandleDType) -> bool {
    matches!(dtype, CandleDType::F16 | CandleDType::BF16)
}

/// `f` of the operands, which share a dtype: in f32 if they are halves, with the result rounded to their dtype.
pub(crate) fn widened(x: &[&Tensor], f: impl FnOnce(&[Tensor]) -> CandleResult<Tensor>) -> CandleResult<Tensor> {
    let dtype = x[0].dtype();
    let of = |x: &&Tensor| if is_half(dtype) { x.to_dtype(CandleDType::F32) } else { Ok((*x).clone()) };
    f(&x.iter().map(of).collect::<CandleResult<Vec<_>>>()?)?.to_dtype(dtype)
}

/// A tensor of `shape` filled with `value`, made on the device. Its storage is never empty, since a driver may refuse
/// to allocate 0 bytes.
pub(crate) fn full(value: f64, shape: &[usize], dtype: CandleDType, device: &Device) -> CandleResult<Tensor> {
    fn of<T: candle_core::WithDType>(value: T, shape: &[usize], device: &Device) -> CandleResult<Tensor> {
        if shape.contains(&0) {
            return Tensor::full(value, 1, device)?.narrow(0, 0, 0)?.reshape(shape);
        }
        Tensor::full(value, shape, device)
    }
    match dtype {
        CandleDType::F32 => of(value as f32, shape, device),
        CandleDType::F64 => of(value, shape, device),
        CandleDType::F16 => of(<f16 as Element>::from_f64(value), shape, device),
        CandleDType::BF16 => of(<bf16 as Element>::from_f64(value), shape, device),
        CandleDType::U8 => of(value as u8, shape, device),
        CandleDType::I64 => of(value as i64, shape, device),
        other => candle_core::bail!("no dtype of the contract is {other:?}"),
    }
}

/// `value` in the dtype, shape and device of `x`: one element, broadcast as a view.
pub(crate) fn beside(x: &Tensor, value: f64) -> CandleResult<Tensor> {
    full(value, &[], x.dtype(), x.device())?.broadcast_as(x.shape())
}

/// Uploads row-major `data` to `device`.
pub(crate) fn to_device(data: &HostData, shape: &Shape, device: &Device) -> CandleResult<Tensor> {
    if data.is_empty() {
        return full(0.0, shape, candle_dtype(data.dtype()), device);
    }
    let shape = CandleShape::from(shape.to_vec());
    match data {
        HostData::F32(v) => Tensor::from_slice(v, shape, device),
        HostData::F64(v) => Tensor::from_slice(v, shape, device),
        HostData::F16(v) => Tensor::from_slice(v, shape, device),
        HostData::BF16(v) => Tensor::from_slice(v, shape, device),
        HostData::U8(v) => Tensor::from_slice(v, shape, device),
        HostData::I64(v) => Tensor::from_slice(v, shape, device),
    }
}

/// Downloads `x` to the host, in row-major order.
pub(crate) fn to_host(x: &Tensor) -> CandleResult<HostData> {
    fn of<T: candle_core::WithDType + Element>(x: &Tensor) -> CandleResult<HostData> {
        let values = if x.elem_count() == 0 { Vec::new() } else { x.flatten_all()?.to_vec1::<T>()? };
        Ok(T::wrap(values))
    }
    match dtype_of(x.dtype())? {
        DType::F32 => of::<f32>(x),
        DType::F64 => of::<f64>(x),
        DType::F16 => of::<f16>(x),
        DType::BF16 => of::<bf16>(x),
        DType::U8 => of::<u8>(x),
        DType::I64 => of::<i64>(x),
    }
}
