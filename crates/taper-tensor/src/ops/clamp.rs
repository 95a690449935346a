//! y = x limited to a range. dy/dx is 1 in the range, its ends included, and 0 outside, as in PyTorch.

use super::shorthand::with_rule;
use crate::Tensor;
use crate::gradcheck::Case;
use taper_backend::{Error, Result};

impl Tensor {
    /// Each element, but no less than `min` and no more than `max` (which holds where `min` is larger): one of them or
    /// both, numbers that are not NaN. NaN stays, in the gradient too. At the ends of the range the gradient is 1. For an
    /// integer x, both are integers in the range of the dtype.
    pub fn clamp(&self, min: Option<f64>, max: Option<f64>) -> Result<Tensor> {
        const OP: &str = "clamp";
        if min.is_none() && max.is_none() {
            return Err(Error::argument(OP, "expected a least or a largest value, or both"));
        }
        for bound in [min, max].into_iter().flatten() {
            self.dtype().check_operand(OP, bound)?;
            if bound.is_nan() {
                return Err(Error::argument(OP, "a bound is NaN, which no number is less or more than"));
            }
        }
        let value = || {
            let raised = min.map_or_else(|| Ok(self.clone()), |min| self.maximum_scalar(min))?;
            max.map_or_else(|| Ok(raised.clone()), |max| raised.minimum_scalar(max))
        };
        with_rule(OP, self, value, move |g, x| {
            let (zero, unknown) = (g.scalar_like(0.0)?, g.scalar_like(f64::NAN)?);
            let mut kept = x.isnan()?.select(&unknown, g)?;
            if let Some(min) = min {
                kept = x.lt_scalar(min)?.select(&zero, &kept)?;
            }
            if let Some(max) = max {
                kept = x.gt_scalar(max)?.select(&zero, &kept)?;
            }
            Ok(kept)
        })
    }
}

pub(super) fn cases() -> Vec<Case> {
    let range = |min, max| move |x: &[Tensor]| x[0].clamp(min, max)?.mul(&x[0]);
    let values = || vec![-2.0, -0.3, 0.4, 1.7];
    vec![
        Case::new("both", range(Some(-0.5), Some(0.5))).values([4], values()),
        Case::new("from below", range(Some(0.1), None)).values([4], values()),
        Case::new("from above", range(None, Some(0.1))).values([4], values()),
        Case::new("least over largest", |x| x[0].clamp(Some(1.0), Some(-1.0))).values([4], values()).zero_gradient(0),
        Case::new("at the ends", |x| x[0].clamp(Some(-1.0), Some(1.0)))
            .values([3], vec![-1.0, 1.0, 2.0])
            .subgradient(0, vec![1.0, 1.0, 0.0]),
    ]
}
