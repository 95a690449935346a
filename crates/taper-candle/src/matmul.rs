//! Batched matrix products.

use crate::data::{CandleResult, is_half};
use candle_core::{DType as CandleDType, Tensor};

/// The product `[…, m, k] × […, k, n]`; a flag says that an operand is stored transposed. Halves accumulate in f32:
/// cuBLAS does so itself, and on candle's CPU device, which has no product of bf16, they are converted.
pub(crate) fn matmul(a: &Tensor, b: &Tensor, transpose_a: bool, transpose_b: bool) -> CandleResult<Tensor> {
    let dtype = a.dtype();
    if is_half(dtype) && a.device().is_cpu() {
        let (a, b) = (a.to_dtype(CandleDType::F32)?, b.to_dtype(CandleDType::F32)?);
        return product(&a, &b, transpose_a, transpose_b)?.to_dtype(dtype);
    }
    product(a, b, transpose_a, transpose_b)
}

fn product(a: &Tensor, b: &Tensor, transpose_a: bool, transpose_b: bool) -> CandleResult<Tensor> {
    let turned = |x: &Tensor, transpose: bool| {
        let x = dense(x)?;
        if transpose { x.t() } else { Ok(x) }
    };
    turned(a, transpose_a)?.matmul(&turned(b, transpose_b)?)
}

/// `x` itself if it is dense, row-major or column-major, so that GEMM can read it in place; else a contiguous copy.
fn dense(x: &Tensor) -> CandleResult<Tensor> {
    if x.is_contiguous() || x.t()?.is_contiguous() { Ok(x.clone()) } else { x.contiguous() }
}
