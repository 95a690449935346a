//! z = max(a, b), with broadcasting. The gradient goes to the larger one; where a = b each gets half, as in PyTorch.

use super::shorthand::{binary, binary_scalar};
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{BinaryOp, Result};

impl Tensor {
    /// The larger of a and b, element by element, with broadcasting; NaN if either is NaN. Where a = b each gets half
    /// of the gradient.
    pub fn maximum(&self, other: &Tensor) -> Result<Tensor> {
        let z = binary("maximum", BinaryOp::Maximum, self, other)?;
        Ok(Tensor::record("maximum", z, &[self, other], || {
            let (a, b) = (self.clone(), other.clone());
            Rule::tensors(move |g, needs| {
                let of_a = || share(g, &a.gt(&b)?, &a.lt(&b)?, &a.eq(&b)?);
                let of_b = || share(g, &b.gt(&a)?, &b.lt(&a)?, &a.eq(&b)?);
                Ok(vec![needs[0].then(of_a).transpose()?, needs[1].then(of_b).transpose()?])
            })
        }))
    }

    /// The larger of x and a number c; NaN if either is NaN. Where x = c, x gets half of the gradient. For an integer
    /// x, c must be an integer in the range of the dtype.
    pub fn maximum_scalar(&self, c: f64) -> Result<Tensor> {
        let z = binary_scalar("maximum_scalar", BinaryOp::Maximum, self, c, false)?;
        Ok(Tensor::record("maximum_scalar", z, &[self], || {
            let x = self.clone();
            Rule::tensors(move |g, _| Ok(vec![Some(share(g, &x.gt_scalar(c)?, &x.lt_scalar(c)?, &x.eq_scalar(c)?)?)]))
        }))
    }
}

/// The gradient of one argument: g where it was chosen (`won`), 0 where it was not (`lost`), g / 2 where both are
/// equal, NaN where one is NaN.
pub(super) fn share(g: &Tensor, won: &Tensor, lost: &Tensor, equal: &Tensor) -> Result<Tensor> {
    let unknown = g.scalar_like(f64::NAN)?;
    won.select(g, &lost.select(&g.scalar_like(0.0)?, &equal.select(&g.mul_scalar(0.5)?, &unknown)?)?)
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("same shapes", |x| x[0].maximum(&x[1])).input([2, 3]).input([2, 3]),
        Case::new("a row", |x| x[0].maximum(&x[1])).input([4, 3]).input([3]),
        Case::new("both broadcast", |x| x[0].maximum(&x[1])).input([2, 1, 3]).input([4, 1]),
        Case::new("a number", |x| x[0].maximum_scalar(0.5)).values([3], vec![-1.0, 0.2, 0.9]),
        Case::new("a number, equal", |x| x[0].maximum_scalar(0.5))
            .values([3], vec![0.0, 0.5, 1.0])
            .subgradient(0, vec![0.0, 0.5, 1.0]),
        Case::new("equals get half each", |x| x[0].maximum(&x[1]))
            .values([3], vec![1.0, 2.0, 0.0])
            .values([3], vec![1.0, 0.0, 2.0])
            .subgradient(0, vec![0.5, 1.0, 0.0])
            .subgradient(1, vec![0.5, 0.0, 1.0]),
    ]
}
