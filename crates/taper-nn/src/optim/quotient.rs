//! x · a / b, where b is a norm: it may be more than the dtype of x holds, and a / b less, though the result is neither.

use super::wide;
use taper_tensor::{DType, Result, Tensor};

/// a / b for two scalars in f64, to be multiplied by.
pub(super) struct Quotient {
    a: Tensor,
    b: Tensor,
}

impl Quotient {
    /// a / b of f64 scalars.
    pub(super) fn new(a: &Tensor, b: &Tensor) -> Result<Self> {
        // A large norm, which f32 may not hold, is shrunk with a by a power of two: nothing is rounded.
        let one = Tensor::ones([], DType::F64, b.device())?;
        let shrink = b.gt_scalar(1.0)?.select(&Tensor::full(2f64.powi(-32), [], DType::F64, b.device())?, &one)?;
        Ok(Self { a: a.mul(&shrink)?, b: b.mul(&shrink)? })
    }

    /// x · a / b, of the dtype of x. First comes the division, which leaves x / b at most 1 where b is x's norm.
    pub(super) fn times(&self, x: &Tensor) -> Result<Tensor> {
        let dtype = wide(x.dtype());
        x.cast(dtype)?.div(&self.b.cast(dtype)?)?.mul(&self.a.cast(dtype)?)?.cast(x.dtype())
    }
}
