//! Logic, for every dtype: what is not 0 is true, NaN too. 1 where it holds and 0 elsewhere, as u8; there is no gradient.

use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::{DType, Result};

impl Tensor {
    /// 1 where both are not 0, with broadcasting; the dtypes may differ.
    pub fn logical_and(&self, other: &Tensor) -> Result<Tensor> {
        joined("logical_and", self, other, |a, b| a.select(b, &a.scalar_like(0.0)?))
    }

    /// 1 where one or both are not 0, with broadcasting; the dtypes may differ.
    pub fn logical_or(&self, other: &Tensor) -> Result<Tensor> {
        joined("logical_or", self, other, |a, b| a.select(&a.scalar_like(1.0)?, b))
    }

    /// 1 where one is not 0 and the other is, with broadcasting; the dtypes may differ.
    pub fn logical_xor(&self, other: &Tensor) -> Result<Tensor> {
        joined("logical_xor", self, other, Tensor::ne)
    }

    /// 1 where x is 0.
    pub fn logical_not(&self) -> Result<Tensor> {
        self.eq_scalar(0.0)
    }
}

/// `join` of both as zeros and ones.
fn joined(op: &'static str, a: &Tensor, b: &Tensor, join: fn(&Tensor, &Tensor) -> Result<Tensor>) -> Result<Tensor> {
    check::same_device(op, "a", a, "b", b)?;
    check::size(op, &a.shape().broadcast_with(b.shape(), op)?, DType::U8)?;
    join(&a.ne_scalar(0.0)?, &b.ne_scalar(0.0)?)
}

pub(super) fn cases() -> Vec<Case> {
    type Logic = fn(&Tensor, &Tensor) -> Result<Tensor>;
    let all: [(&str, Logic); 4] = [
        ("and", Tensor::logical_and),
        ("or", Tensor::logical_or),
        ("xor", Tensor::logical_xor),
        ("not", |a, _| a.logical_not()),
    ];
    let case = |(name, join): (&str, Logic)| {
        let function = move |x: &[Tensor]| join(&x[0], &x[1])?.cast(DType::F64);
        Case::new(name, function).input([2, 3]).input([3]).zero_gradient(0).zero_gradient(1)
    };
    all.into_iter().map(case).collect()
}
