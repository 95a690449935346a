//! z = a − b, with broadcasting. dz/da = 1, dz/db = −1.

use super::shorthand::binary;
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{BinaryOp, Result};

impl Tensor {
    /// a − b, element by element, with broadcasting.
    pub fn sub(&self, other: &Tensor) -> Result<Tensor> {
        let z = binary("sub", BinaryOp::Sub, self, other)?;
        Ok(Tensor::record("sub", z, &[self, other], || {
            Rule::tensors(|g, needs| Ok(vec![Some(g.clone()), needs[1].then(|| g.neg()).transpose()?]))
        }))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("same shapes", |x| x[0].sub(&x[1])).input([2, 3]).input([2, 3]),
        Case::new("a row", |x| x[0].sub(&x[1])).input([4, 3]).input([3]),
        Case::new("from a row", |x| x[0].sub(&x[1])).input([3]).input([4, 3]),
        Case::new("both broadcast", |x| x[0].sub(&x[1])).input([2, 1, 3]).input([4, 1]),
        Case::new("of its own square", |x| x[0].sub(&x[0].mul(&x[0])?)).input([5]),
    ]
}
