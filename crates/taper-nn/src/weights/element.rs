//! Numbers in files: their dtypes, and what becomes of them in memory.

use half::{bf16, f16};
use safetensors::Dtype;
use taper_tensor::{DType, HostData};

/// The dtype in files of what has the dtype `dtype` in memory.
pub(super) fn in_file(dtype: DType) -> Dtype {
    match dtype {
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::U8 => Dtype::U8,
        DType::I64 => Dtype::I64,
    }
}

/// The dtype in memory that holds the same numbers; `None` where there is none.
pub(super) fn in_memory(dtype: Dtype) -> Option<DType> {
    [DType::F32, DType::F64, DType::F16, DType::BF16, DType::U8, DType::I64]
        .into_iter()
        .find(|&candidate| in_file(candidate) == dtype)
}

/// Whether numbers of the dtype `found` are read as they are, or widened without a loss, for a parameter in `expected`.
pub(super) fn widens(found: Dtype, expected: DType) -> bool {
    match expected {
        DType::I64 => matches!(found, Dtype::I8 | Dtype::U8 | Dtype::I16 | Dtype::U16 | Dtype::I32 | Dtype::U32),
        DType::U8 => found == Dtype::BOOL,
        _ => false,
    }
}

/// The size in bytes of a number; `None` for a dtype that is not read.
pub(super) fn size(dtype: Dtype) -> Option<usize> {
    match dtype {
        Dtype::BOOL | Dtype::U8 | Dtype::I8 => Some(1),
        Dtype::I16 | Dtype::U16 | Dtype::F16 | Dtype::BF16 => Some(2),
        Dtype::I32 | Dtype::U32 | Dtype::F32 => Some(4),
        Dtype::I64 | Dtype::F64 => Some(8),
        _ => None,
    }
}

/// The numbers from their little-endian bytes, narrower integers widened to i64 and truth values to 0 and 1 in u8;
/// `None` for a dtype that is not read.
pub(super) fn read(bytes: &[u8], dtype: Dtype) -> Option<HostData> {
    fn each<const N: usize>(bytes: &[u8], from: impl Fn([u8; N]) -> i64) -> Option<HostData> {
        Some(HostData::I64(bytes.as_chunks::<N>().0.iter().map(|&chunk| from(chunk)).collect()))
    }
    match dtype {
        Dtype::BOOL => Some(HostData::U8(bytes.iter().map(|&byte| u8::from(byte != 0)).collect())),
        Dtype::I8 => each(bytes, |b| i8::from_le_bytes(b).into()),
        Dtype::I16 => each(bytes, |b| i16::from_le_bytes(b).into()),
        Dtype::U16 => each(bytes, |b| u16::from_le_bytes(b).into()),
        Dtype::I32 => each(bytes, |b| i32::from_le_bytes(b).into()),
        Dtype::U32 => each(bytes, |b| u32::from_le_bytes(b).into()),
        dtype => in_memory(dtype).map(|dtype| host_of(bytes, dtype)),
    }
}

/// The elements as little-endian bytes.
pub(super) fn bytes_of(data: &HostData) -> Vec<u8> {
    fn each<const N: usize, T: Copy>(values: &[T], to: impl Fn(T) -> [u8; N]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(values.len() * N);
        values.iter().for_each(|&value| bytes.extend_from_slice(&to(value)));
        bytes
    }
    match data {
        HostData::F32(v) => each(v, f32::to_le_bytes),
        HostData::F64(v) => each(v, f64::to_le_bytes),
        HostData::F16(v) => each(v, f16::to_le_bytes),
        HostData::BF16(v) => each(v, bf16::to_le_bytes),
        HostData::U8(v) => v.clone(),
        HostData::I64(v) => each(v, i64::to_le_bytes),
    }
}

/// The elements from their little-endian bytes, whose number has been checked.
fn host_of(bytes: &[u8], dtype: DType) -> HostData {
    fn each<const N: usize, T>(bytes: &[u8], from: impl Fn([u8; N]) -> T) -> Vec<T> {
        bytes.as_chunks::<N>().0.iter().map(|&chunk| from(chunk)).collect()
    }
    match dtype {
        DType::F32 => HostData::F32(each(bytes, f32::from_le_bytes)),
        DType::F64 => HostData::F64(each(bytes, f64::from_le_bytes)),
        DType::F16 => HostData::F16(each(bytes, f16::from_le_bytes)),
        DType::BF16 => HostData::BF16(each(bytes, bf16::from_le_bytes)),
        DType::U8 => HostData::U8(bytes.to_vec()),
        DType::I64 => HostData::I64(each(bytes, i64::from_le_bytes)),
    }
}
