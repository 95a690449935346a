//! z = a / b, with broadcasting. dz/da = 1 / b, dz/db = −z / b, because b² in −a / b² might overflow or underflow where
//! the quotient does not.

use super::shorthand::{binary, binary_scalar, saved_or_recomputed};
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{BinaryOp, Result};

impl Tensor {
    /// a / b, element by element, with broadcasting. Integers truncate; an integer divided by 0 is 0.
    pub fn div(&self, other: &Tensor) -> Result<Tensor> {
        let z = binary("div", BinaryOp::Div, self, other)?;
        Ok(Tensor::record("div", z.clone(), &[self, other], || {
            let (a, b) = (self.clone(), other.clone());
            Rule::tensors(move |g, needs| {
                let of_a = || g.div(&b);
                let of_b = || g.mul(&saved_or_recomputed(g, &z, || a.div(&b))?)?.div(&b)?.neg();
                Ok(vec![needs[0].then(of_a).transpose()?, needs[1].then(of_b).transpose()?])
            })
        }))
    }

    /// x / c for a number c. Integers truncate. For an integer x, c must be an integer in the range of the dtype.
    pub fn div_scalar(&self, c: f64) -> Result<Tensor> {
        let z = binary_scalar("div_scalar", BinaryOp::Div, self, c, false)?;
        let rule = move || Rule::tensors(move |g: &Tensor, _: &[bool]| Ok(vec![Some(g.div_scalar(c)?)]));
        Ok(Tensor::record("div_scalar", z, &[self], rule))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("same shapes", |x| x[0].div(&x[1])).input([2, 3]).input_in([2, 3], 0.5, 2.0),
        Case::new("by a column", |x| x[0].div(&x[1])).input([4, 3]).input_in([4, 1], -2.0, -0.5),
        Case::new("both broadcast", |x| x[0].div(&x[1])).input([2, 1, 3]).input_in([4, 1], 0.5, 2.0),
        Case::new("a scalar by a tensor", |x| x[0].div(&x[1])).input([]).input_in([3], 0.5, 2.0),
        Case::new("by itself", |x| x[0].div(&x[0])).input_in([3], 0.5, 2.0).zero_gradient(0),
        Case::new("by a number", |x| x[0].div_scalar(-1.5)).input([3]),
    ]
}
