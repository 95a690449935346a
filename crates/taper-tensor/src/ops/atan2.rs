//! z = atan2(y, x), the angle of the point (x, y). dz/dy = x / (x² + y²), dz/dx = −y / (x² + y²), without squares that
//! overflow or underflow, and 0 at (0, 0).

use super::shorthand::{in_f32, is_half};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::tape::{Rule, no_grad};
use std::f64::consts::{FRAC_PI_2, PI};
use taper_backend::{DType, Result};

impl Tensor {
    /// The angle of the points (x, y) for this tensor y and `x`, with broadcasting: arctan y/x in the quadrant of the point,
    /// from −π to π. Zeros have signs, as in PyTorch and in C: atan2(0, −0) is π. The gradient at (0, 0), where there is
    /// none, is 0.
    pub fn atan2(&self, x: &Tensor) -> Result<Tensor> {
        const OP: &str = "atan2";
        check::float(OP, self)?;
        check::same(OP, &["y", "x"], &[self, x])?;
        check::size(OP, &self.shape().broadcast_with(x.shape(), OP)?, self.dtype())?;
        if is_half(self) {
            let wide = x.cast(DType::F32)?;
            return in_f32(self, |y| y.atan2(&wide));
        }
        let z = no_grad(|| angle(self, x))?.into_buffer()?;
        Ok(Tensor::record(OP, z, &[self, x], || {
            let (y, x) = (self.clone(), x.clone());
            Rule::tensors(move |g, needs| {
                // Neither derivative depends on the scale m, which is therefore a constant. They are 0 where it is infinite.
                let m = no_grad(|| y.abs()?.maximum(&x.abs()?))?;
                let (one, zero) = (m.scalar_like(1.0)?, m.scalar_like(0.0)?);
                let m = m.eq_scalar(0.0)?.select(&one, &m)?;
                let far = m.eq_scalar(f64::INFINITY)?;
                let scaled = |part: &Tensor| far.select(&zero, &part.div(&m)?);
                let (above, right) = (scaled(&y)?, scaled(&x)?);
                let squares = above.mul(&above)?.add(&right.mul(&right)?)?;
                let squares = squares.eq_scalar(0.0)?.select(&one, &squares)?;
                let slope = |part: &Tensor| g.mul(&part.div(&squares)?)?.div(&m);
                let of_x = || slope(&above)?.neg();
                Ok(vec![needs[0].then(|| slope(&right)).transpose()?, needs[1].then(of_x).transpose()?])
            })
        }))
    }
}

/// From the angle to the nearer axis, which is at most π/4.
fn angle(y: &Tensor, x: &Tensor) -> Result<Tensor> {
    let (above, beside) = (y.abs()?, x.abs()?);
    let (large, small) = (above.maximum(&beside)?, above.minimum(&beside)?);
    let (zero, one) = (x.scalar_like(0.0)?, x.scalar_like(1.0)?);
    // 0 / 0 and ∞ / ∞ are the limits along an axis and a diagonal.
    let quotient = large.eq_scalar(0.0)?.select(&zero, &small.div(&large)?)?;
    let near = small.eq_scalar(f64::INFINITY)?.select(&one, &quotient)?.atan()?;
    let first = above.gt(&beside)?.select(&from(FRAC_PI_2, &near)?, &near)?;
    let upper = is_negative(x)?.select(&from(PI, &first)?, &first)?;
    is_negative(y)?.select(&upper.neg()?, &upper)
}

/// `whole` − part, with what the dtype lacks of `whole` too.
fn from(whole: f64, part: &Tensor) -> Result<Tensor> {
    let (head, rest) = match part.dtype() {
        DType::F64 => (whole, whole / PI * 1.224_646_799_147_353_2e-16),
        _ => (f64::from(whole as f32), whole - f64::from(whole as f32)),
    };
    part.add_scalar(-rest)?.neg()?.add_scalar(head)
}

/// Whether the sign bit is set: of −0 too, whose inverse is −∞.
fn is_negative(x: &Tensor) -> Result<Tensor> {
    x.lt_scalar(0.0)?.logical_or(&x.eq_scalar(0.0)?.logical_and(&x.recip()?.lt_scalar(0.0)?)?)
}

pub(super) fn cases() -> Vec<Case> {
    let angle = |x: &[Tensor]| x[0].atan2(&x[1]);
    vec![
        Case::new("four quadrants", angle)
            .values([2, 4], vec![0.3, 1.5, 0.4, -0.6, -2.0, 0.7, 0.2, -0.1])
            .values([2, 4], vec![0.9, 0.8, -0.5, -0.7, -0.3, 0.6, -1.5, 2.5]),
        Case::new("on the axes", angle).values([3], vec![1.5, 0.0, -0.7]).values([3], vec![0.0, 2.0, 0.0]),
        Case::new("both broadcast", angle).input_in([2, 1, 3], 0.5, 1.5).input([4, 1]),
        Case::new("at no angle", angle)
            .values([1], vec![0.0])
            .values([1], vec![0.0])
            .subgradient(0, vec![0.0])
            .subgradient(1, vec![0.0])
            .zero_gradient(0)
            .zero_gradient(1),
    ]
}
