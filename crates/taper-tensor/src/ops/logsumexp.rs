//! y = ln Σ eˣ over axes, as m + ln Σ eˣ⁻ᵐ with m = max x, so that eˣ does not overflow. dy/dx = softmax x.

use super::shorthand::{in_f32, is_half};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::tape::no_grad;
use taper_backend::Result;

impl Tensor {
    /// ln Σ eˣ over `axes` (−1 is the last; none means all). With `keepdim` the axes are kept with size 1, else
    /// removed. Over no elements it is −∞, the logarithm of the empty sum.
    pub fn logsumexp(&self, axes: &[isize], keepdim: bool) -> Result<Tensor> {
        check::float("logsumexp", self)?;
        if is_half(self) {
            return in_f32(self, |x| x.logsumexp(axes, keepdim));
        }
        let over = self.shape().axes("logsumexp", axes)?;
        if over.iter().any(|&axis| self.shape()[axis] == 0) {
            return self.sum(axes, keepdim)?.add_scalar(f64::NEG_INFINITY);
        }
        // Any finite constant m gives the same value and gradient; an infinite m would give ∞ − ∞.
        let m = no_grad(|| {
            let m = self.max(axes, true)?;
            m.abs()?.eq_scalar(f64::INFINITY)?.select(&self.scalar_like(0.0)?, &m)
        })?;
        let y = self.sub(&m)?.exp()?.sum(axes, true)?.log()?.add(&m)?;
        if keepdim { Ok(y) } else { y.without_axes(&over) }
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("all", |x| x[0].logsumexp(&[], false)).input([2, 3]),
        Case::new("the last axis", |x| x[0].logsumexp(&[-1], false)).input([2, 3]),
        Case::new("outer axes, kept", |x| x[0].logsumexp(&[0, 2], true)).input([2, 3, 2]),
        Case::new("nothing", |x| x[0].logsumexp(&[1], false)?.exp()).input([2, 0]).zero_gradient(0),
        Case::new("where eˣ overflows", |x| x[0].logsumexp(&[0], false)).values([3], vec![1000.0, 999.0, -1000.0]),
    ]
}
