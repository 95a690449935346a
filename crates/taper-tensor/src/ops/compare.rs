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

    /// 1 where x = c for a number c; c is rounded to the dtype of x. For an integer x, c must be an integer in the
    /// range of the dtype.
    pub fn eq_scalar(&self, c: f64) -> Result<Tensor> {
        compare_scalar("eq_scalar", CompareOp::Eq, self, c)
    }

    /// 1 where x ≠ c for a number c, and where x is NaN; c is rounded to the dtype of x. For an integer x, c must be an
    /// integer in the range of the dtype.
    pub fn ne_scalar(&self, c: f64) -> Result<Tensor> {
        compare_scalar("ne_scalar", CompareOp::Ne, self, c)
    }

    /// 1 where x < c for a number c; c is rounded to the dtype of x. For an integer x, c must be an integer in the
    /// range of the dtype.
    pub fn lt_scalar(&self, c: f64) -> Result<Tensor> {
        compare_scalar("lt_scalar", CompareOp::Lt, self, c)
    }

    /// 1 where x ≤ c for a number c; c is rounded to the dtype of x. For an integer x, c must be an integer in the
    /// range of the dtype.
    pub fn le_scalar(&self, c: f64) -> Result<Tensor> {
        compare_scalar("le_scalar", CompareOp::Le, self, c)
    }

    /// 1 where x > c for a number c; c is rounded to the dtype of x. For an integer x, c must be an integer in the
    /// range of the dtype.
    pub fn gt_scalar(&self, c: f64) -> Result<Tensor> {
        compare_scalar("gt_scalar", CompareOp::Gt, self, c)
    }

    /// 1 where x ≥ c for a number c; c is rounded to the dtype of x. For an integer x, c must be an integer in the
    /// range of the dtype.
    pub fn ge_scalar(&self, c: f64) -> Result<Tensor> {
        compare_scalar("ge_scalar", CompareOp::Ge, self, c)
    }
}

fn compare(name: &'static str, op: CompareOp, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    check::same(name, &["a", "b"], &[a, b])?;
    a.shape().broadcast_with(b.shape(), name)?;
    Ok(plain(a, a.device().compare(op, a.buffer()?, b.buffer()?)?))
}

fn compare_scalar(name: &'static str, op: CompareOp, x: &Tensor, c: f64) -> Result<Tensor> {
    x.dtype().check_operand(name, c)?;
    Ok(plain(x, x.device().compare_scalar(op, x.buffer()?, c)?))
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
    type WithNumber = fn(&Tensor, f64) -> Result<Tensor>;
    let with_numbers: [(&str, WithNumber); 6] = [
        ("eq_scalar", Tensor::eq_scalar),
        ("ne_scalar", Tensor::ne_scalar),
        ("lt_scalar", Tensor::lt_scalar),
        ("le_scalar", Tensor::le_scalar),
        ("gt_scalar", Tensor::gt_scalar),
        ("ge_scalar", Tensor::ge_scalar),
    ];
    let number_case = |(name, compare): (&str, WithNumber)| {
        Case::new(name, move |x| compare(&x[0], 0.25)?.cast(DType::F64)).input([2, 3]).zero_gradient(0)
    };
    comparisons.into_iter().map(case).chain(with_numbers.into_iter().map(number_case)).collect()
}
