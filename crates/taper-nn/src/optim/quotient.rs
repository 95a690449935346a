//! x · a / b, where b is a norm. b may overflow the dtype of x, and a / b may underflow it, although the result does
//! neither.

use super::wide;
use taper_tensor::{DType, Result, Tensor};

/// The factor a / b of two f64 scalars.
pub(super) struct Quotient {
    a: Tensor,
    b: Tensor,
}

impl Quotient {
    /// The quotient of the f64 scalars `a` and `b`.
    pub(super) fn new(a: &Tensor, b: &Tensor) -> Result<Self> {
        // A large norm, which f32 may not hold, is scaled down together with a by a power of two, which does not round.
        let one = Tensor::ones([], DType::F64, b.device())?;
        let shrink = b.gt_scalar(1.0)?.select(&Tensor::full(2f64.powi(-32), [], DType::F64, b.device())?, &one)?;
        Ok(Self { a: a.mul(&shrink)?, b: b.mul(&shrink)? })
    }

    /// The quotient in the dtype in which it is multiplied with a tensor of `dtype`: cast once, for many tensors.
    pub(super) fn ready_for(&self, dtype: DType) -> Result<Self> {
        let dtype = wide(dtype);
        Ok(Self { a: self.a.cast(dtype)?, b: self.b.cast(dtype)? })
    }

    /// x · a / b, in the dtype of x. The division comes first: x / b is at most 1 where b is x's norm.
    pub(super) fn times(&self, x: &Tensor) -> Result<Tensor> {
        let Self { a, b } = self.ready_for(x.dtype())?;
        x.cast(b.dtype())?.div(&b)?.mul(&a)?.cast(x.dtype())
    }
}
