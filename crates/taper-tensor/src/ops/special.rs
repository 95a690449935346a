//! Which elements are NaN, infinite, finite: 1 where they are and 0 elsewhere, as u8. There is no gradient.

use crate::Tensor;
use crate::gradcheck::Case;
use taper_backend::{DType, Result};

impl Tensor {
    /// 1 where x is NaN; integers never are.
    pub fn isnan(&self) -> Result<Tensor> {
        self.ne(self)
    }

    /// 1 where x is ∞ or −∞; integers never are.
    pub fn isinf(&self) -> Result<Tensor> {
        if !self.dtype().is_float() {
            return Tensor::zeros(self.shape(), DType::U8, self.device());
        }
        self.detach().abs()?.eq_scalar(f64::INFINITY)
    }

    /// 1 where x is neither NaN nor infinite; integers always are. Whether all elements of several tensors are finite is
    /// [`Tensor::all_finite`].
    pub fn isfinite(&self) -> Result<Tensor> {
        if !self.dtype().is_float() {
            return Tensor::ones(self.shape(), DType::U8, self.device());
        }
        self.detach().abs()?.lt_scalar(f64::INFINITY)
    }
}

pub(super) fn cases() -> Vec<Case> {
    type Question = fn(&Tensor) -> Result<Tensor>;
    let questions: [(&str, Question); 3] =
        [("isnan", Tensor::isnan), ("isinf", Tensor::isinf), ("isfinite", Tensor::isfinite)];
    let case = |(name, ask): (&str, Question)| {
        Case::new(name, move |x| ask(&x[0])?.cast(DType::F64)).input([2, 3]).zero_gradient(0)
    };
    questions.into_iter().map(case).collect()
}
