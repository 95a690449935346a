//! Comparisons: 1 where they hold and 0 elsewhere, as u8. They are constant almost everywhere and have no gradient.

use super::shorthand::plain;
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::{CompareOp, DType, Result};

impl Tensor {
    /// 1 where a = b, with broadcasting.
    pub fn eq(&self, other: &Tensor) -> Result<Tensor> {
        compare("eq", CompareOp::Eq, self, other)
    }

    /// 1 where a ≠ b, with broadcasting; also where either is NaN.
    pub fn ne(&self, other: &Tensor) -> Result<Tensor> {
        compare("ne", CompareOp::Ne, self, other)
    }

    /// 1 where a < b, with broadcasting.
    pub fn lt(&self, other: &Tensor) -> Result<Tensor> {
        compare("lt", CompareOp::Lt, self, other)
    }

    /// 1 where a ≤ b, with broadcasting.
    pub fn le(&self, other: &Tensor) -> Result<Tensor> {
        compare("le", CompareOp::Le, self, other)
    }

    /// 1 where a > b, with broadcasting.
    pub fn gt(&self, other: &Tensor) -> Result<Tensor> {
        compare("gt", CompareOp::Gt, self, other)
    }

    /// 1 where a ≥ b, with broadcasting.
    pub fn ge(&self, other: &Tensor) -> Result<Tensor> {
        compare("ge", CompareOp::Ge, self, other)
    }
}

fn compare(name: &'static str, op: CompareOp, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    check::same(name, &["a", "b"], &[a, b])?;
    a.shape().broadcast_with(b.shape(), name)?;
    Ok(plain(a, a.device().compare(op, a.buffer()?, b.buffer()?)?))
}

pub(super) fn cases() -> Vec<Case> {
    type Comparison = fn(&Tensor, &Tensor) -> Result<Tensor>;
    let comparisons: [(&str, Comparison); 6] = [
        ("eq", Tensor::eq),
        ("ne", Tensor::ne),
        ("lt", Tensor::lt),
        ("le", Tensor::le),
        ("gt", Tensor::gt),
        ("ge", Tensor::ge),
    ];
    let case = |(name, compare): (&str, Comparison)| {
        let function = move |x: &[Tensor]| compare(&x[0], &x[1])?.cast(DType::F64);
        Case::new(name, function).input([2, 3]).input([3]).zero_gradient(0).zero_gradient(1)
    };
    comparisons.into_iter().map(case).collect()
}
