//! z = a · b, with broadcasting. dz/da = b, dz/db = a.

use super::shorthand::{binary, binary_scalar};
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{BinaryOp, Result};

impl Tensor {
    /// a · b, element by element, with broadcasting.
    pub fn mul(&self, other: &Tensor) -> Result<Tensor> {
        let z = binary("mul", BinaryOp::Mul, self, other)?;
        Ok(Tensor::record("mul", z, &[self, other], || {
            let (a, b) = (self.clone(), other.clone());
            Rule::tensors(move |g, needs| {
                Ok(vec![needs[0].then(|| g.mul(&b)).transpose()?, needs[1].then(|| g.mul(&a)).transpose()?])
            })
        }))
    }

    /// c · x for a number c. For an integer x, c must be an integer in the range of the dtype.
    pub fn mul_scalar(&self, c: f64) -> Result<Tensor> {
        let z = binary_scalar("mul_scalar", BinaryOp::Mul, self, c, false)?;
        let rule = move || Rule::tensors(move |g: &Tensor, _: &[bool]| Ok(vec![Some(g.mul_scalar(c)?)]));
        Ok(Tensor::record("mul_scalar", z, &[self], rule))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("same shapes", |x| x[0].mul(&x[1])).input([2, 3]).input([2, 3]),
        Case::new("a column", |x| x[0].mul(&x[1])).input([4, 3]).input([4, 1]),
        Case::new("both broadcast", |x| x[0].mul(&x[1])).input([2, 1, 3]).input([4, 1]),
        Case::new("with itself", |x| x[0].mul(&x[0])).input([5]),
        Case::new("a number", |x| x[0].mul_scalar(-1.5)).input([3]),
    ]
}
