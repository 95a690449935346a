//! z = min(a, b), with broadcasting. The gradient goes to the smaller one; where a = b each gets half, as in PyTorch.

use super::maximum::share;
use super::shorthand::{binary, binary_scalar};
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{BinaryOp, Result};

impl Tensor {
    /// The smaller of a and b, element by element, with broadcasting; NaN if either is NaN. Where a = b each gets half
    /// of the gradient.
    pub fn minimum(&self, other: &Tensor) -> Result<Tensor> {
        let z = binary("minimum", BinaryOp::Minimum, self, other)?;
        Ok(Tensor::record("minimum", z, &[self, other], || {
            let (a, b) = (self.clone(), other.clone());
            Rule::tensors(move |g, needs| {
                let of_a = || share(g, &a.lt(&b)?, &a.gt(&b)?, &a.eq(&b)?);
                let of_b = || share(g, &b.lt(&a)?, &b.gt(&a)?, &a.eq(&b)?);
                Ok(vec![needs[0].then(of_a).transpose()?, needs[1].then(of_b).transpose()?])
            })
        }))
    }

    /// The smaller of x and a number c; NaN if either is NaN. Where x = c, x gets half of the gradient. For an integer
    /// x, c must be an integer in the range of the dtype.
    pub fn minimum_scalar(&self, c: f64) -> Result<Tensor> {
        let z = binary_scalar("minimum_scalar", BinaryOp::Minimum, self, c, false)?;
        Ok(Tensor::record("minimum_scalar", z, &[self], || {
            let x = self.clone();
            Rule::tensors(move |g, _| Ok(vec![Some(share(g, &x.lt_scalar(c)?, &x.gt_scalar(c)?, &x.eq_scalar(c)?)?)]))
        }))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("same shapes", |x| x[0].minimum(&x[1])).input([2, 3]).input([2, 3]),
        Case::new("a row", |x| x[0].minimum(&x[1])).input([4, 3]).input([3]),
        Case::new("both broadcast", |x| x[0].minimum(&x[1])).input([2, 1, 3]).input([4, 1]),
        Case::new("a number", |x| x[0].minimum_scalar(0.5)).values([3], vec![-1.0, 0.2, 0.9]),
        Case::new("a number, equal", |x| x[0].minimum_scalar(0.5))
            .values([3], vec![0.0, 0.5, 1.0])
            .subgradient(0, vec![1.0, 0.5, 0.0]),
        Case::new("equals get half each", |x| x[0].minimum(&x[1]))
            .values([3], vec![1.0, 2.0, 0.0])
            .values([3], vec![1.0, 0.0, 2.0])
            .subgradient(0, vec![0.5, 0.0, 1.0])
            .subgradient(1, vec![0.5, 1.0, 0.0]),
    ]
}
