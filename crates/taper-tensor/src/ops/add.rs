//! z = a + b, with broadcasting. dz/da = 1, dz/db = 1; the backward pass sums each gradient to its input's shape.

use super::shorthand::{binary, binary_scalar};
use crate::Tensor;
use crate::gradcheck::Case;
use crate::pending::Pending;
use crate::tape::Rule;
use crate::tensor::Value;
use taper_backend::{BinaryOp, Result};

impl Tensor {
    /// a + b, element by element, with broadcasting.
    pub fn add(&self, other: &Tensor) -> Result<Tensor> {
        let z = match joined(self, other)? {
            Some(pending) => Value::Pending(self.shape().clone(), self.dtype(), pending),
            None => Value::Ready(binary("add", BinaryOp::Add, self, other)?),
        };
        Ok(Tensor::record("add", z, &[self, other], || {
            Rule::tensors(|g, _| Ok(vec![Some(g.clone()), Some(g.clone())]))
        }))
    }

    /// x + c for a number c. For an integer x, c must be an integer in the range of the dtype.
    pub fn add_scalar(&self, c: f64) -> Result<Tensor> {
        let z = binary_scalar("add_scalar", BinaryOp::Add, self, c, false)?;
        Ok(Tensor::record("add_scalar", z, &[self], || Rule::tensors(|g, _| Ok(vec![Some(g.clone())]))))
    }
}

/// The pending chain of `a` or `b` followed by the addition of the other; `None` if neither can be extended.
fn joined(a: &Tensor, b: &Tensor) -> Result<Option<Box<dyn Pending>>> {
    if a.shape() != b.shape() || a.dtype() != b.dtype() {
        return Ok(None);
    }
    for (chain, other) in [(a, b), (b, a)] {
        if let Some(joined) = chain.extend_pending(|pending| pending.then_add(chain, other)) {
            // The inputs of a chain are computed before the chain is pending, so that computing it does not recurse.
            other.buffer()?;
            return Ok(Some(joined));
        }
    }
    Ok(None)
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
