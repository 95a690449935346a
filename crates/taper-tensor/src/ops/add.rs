//! z = a + b, with broadcasting. dz/da = 1, dz/db = 1: the walk sums a gradient back to its input's shape.

use super::shorthand::binary;
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{BinaryOp, Result};

impl Tensor {
    /// a + b, element by element, with broadcasting.
    pub fn add(&self, other: &Tensor) -> Result<Tensor> {
        let z = binary("add", BinaryOp::Add, self, other)?;
        Ok(Tensor::record("add", z, &[self, other], || {
            Rule::tensors(|g, _| Ok(vec![Some(g.clone()), Some(g.clone())]))
        }))
    }

    /// x + c for a number c.
    pub fn add_scalar(&self, c: f64) -> Result<Tensor> {
        self.add(&self.scalar_like(c)?)
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("same shapes", |x| x[0].add(&x[1])).input([2, 3]).input([2, 3]),
        Case::new("a row", |x| x[0].add(&x[1])).input([4, 3]).input([3]),
        Case::new("both broadcast", |x| x[0].add(&x[1])).input([2, 1, 3]).input([4, 1]),
        Case::new("a scalar", |x| x[0].add(&x[1])).input([]).input([2, 2]),
        Case::new("with itself", |x| x[0].add(&x[0])).input([5]),
        Case::new("a number", |x| x[0].add_scalar(-1.5)).input([3]),
        Case::new("nothing", |x| x[0].add(&x[1])).input([0, 3]).input([3]).zero_gradient(0).zero_gradient(1),
    ]
}
