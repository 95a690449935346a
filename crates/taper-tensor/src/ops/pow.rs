//! z = aᵇ, with broadcasting. dz/da = b aᵇ⁻¹, dz/db = aᵇ ln a.
//!
//! Where a = 0 two values are defined as in PyTorch: d(a⁰)/da = 0, and d(0ᵇ)/db = 0 for b ≥ 0.

use super::shorthand::{binary, binary_scalar, step};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{BinaryOp, Result};

impl Tensor {
    /// aᵇ, element by element, with broadcasting; NaN where a < 0 and b is no integer.
    pub fn pow(&self, exponent: &Tensor) -> Result<Tensor> {
        check::float("pow", self)?;
        let z = binary("pow", BinaryOp::Pow, self, exponent)?;
        Ok(Tensor::record("pow", z, &[self, exponent], || {
            let (a, b) = (self.clone(), exponent.clone());
            Rule::tensors(move |g, needs| {
                let one = a.scalar_like(1.0)?;
                // Both values come from replacing the factor that would give 0 · ∞ by 1.
                let of_a = || {
                    let lower = b.eq_scalar(0.0)?.select(&a.eq_scalar(0.0)?.select(&one, &b)?, &b)?.add_scalar(-1.0)?;
                    g.mul(&b)?.mul(&a.pow(&lower)?)
                };
                let of_b = || {
                    let base = a.eq_scalar(0.0)?.select(&b.ge_scalar(0.0)?.select(&one, &a)?, &a)?;
                    g.mul(&a.pow(&b)?)?.mul(&base.log()?)
                };
                Ok(vec![needs[0].then(of_a).transpose()?, needs[1].then(of_b).transpose()?])
            })
        }))
    }

    /// xᶜ for a number c. x⁰ is 1 everywhere, with a gradient of 0.
    pub fn pow_scalar(&self, c: f64) -> Result<Tensor> {
        check::float("pow_scalar", self)?;
        if c == 0.0 {
            let ones = Tensor::ones(self.shape(), self.dtype(), self.device())?;
            return Ok(step("pow_scalar", self, ones.into_buffer()?));
        }
        let z = binary_scalar("pow_scalar", BinaryOp::Pow, self, c, false)?;
        Ok(Tensor::record("pow_scalar", z, &[self], || {
            let x = self.clone();
            Rule::tensors(move |g, _| Ok(vec![Some(g.mul(&x.pow_scalar(c - 1.0)?.mul_scalar(c)?)?)]))
        }))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("same shapes", |x| x[0].pow(&x[1])).input_in([2, 3], 0.5, 2.0).input([2, 3]),
        Case::new("a row of exponents", |x| x[0].pow(&x[1])).input_in([4, 3], 0.5, 2.0).input([3]),
        Case::new("both broadcast", |x| x[0].pow(&x[1])).input_in([2, 1, 3], 0.5, 2.0).input([4, 1]),
        Case::new("square, 0 and negative too", |x| x[0].pow_scalar(2.0)).values([3], vec![-1.5, 0.0, 2.0]),
        Case::new("cube", |x| x[0].pow_scalar(3.0)).input([4]),
        Case::new("the first power, at 0 too", |x| x[0].pow_scalar(1.0)).values([3], vec![-1.5, 0.0, 2.0]),
        Case::new("root", |x| x[0].pow_scalar(0.5)).input_in([3], 0.5, 2.0),
        Case::new("inverse", |x| x[0].pow_scalar(-1.0)).input_in([3], -2.0, -0.5),
        Case::new("power 0, at 0 too", |x| x[0].pow_scalar(0.0)).values([3], vec![-1.0, 0.0, 2.0]).zero_gradient(0),
        Case::new("exponents 0 and 1 of 0", |x| x[0].pow(&x[1]))
            .values([3], vec![0.0, 0.0, 2.0])
            .values([3], vec![0.0, 1.0, 0.0])
            .subgradient(0, vec![0.0, 1.0, 0.0])
            .subgradient(1, vec![0.0, 0.0, 2f64.ln()]),
        // Finite differences would leave the domain, a ≥ 0.
        Case::new("of 0", |x| x[0].pow(&x[1]))
            .values([2], vec![0.0, 4.0])
            .values([2], vec![3.0, 1.5])
            .subgradient(0, vec![0.0, 3.0])
            .subgradient(1, vec![0.0, 8.0 * 4f64.ln()]),
    ]
}
