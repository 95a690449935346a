//! Products of vectors, composed of matrix products.

use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::{Error, Result};

impl Tensor {
    /// The outer product of two vectors, `[n]` and `[m]`: `[n, m]`.
    pub fn outer(&self, other: &Tensor) -> Result<Tensor> {
        const OP: &str = "outer";
        check::same(OP, &["a", "b"], &[self, other])?;
        if self.shape().rank() != 1 || other.shape().rank() != 1 {
            return Err(not_that(OP, "two vectors", self, other));
        }
        self.unsqueeze(1)?.mul(&other.unsqueeze(0)?)
    }

    /// The sum of the products of the elements of two vectors of one length, a scalar.
    pub fn dot(&self, other: &Tensor) -> Result<Tensor> {
        const OP: &str = "dot";
        check::same(OP, &["a", "b"], &[self, other])?;
        if self.shape().rank() != 1 || self.shape() != other.shape() {
            return Err(not_that(OP, "two vectors of one length", self, other));
        }
        if self.dtype().is_float() { self.matmul(other) } else { self.mul(other)?.sum_all() }
    }

    /// The product of this matrix `[n, m]` with a vector `[m]`: `[n]`.
    pub fn mv(&self, vector: &Tensor) -> Result<Tensor> {
        const OP: &str = "mv";
        check::same(OP, &["the matrix", "the vector"], &[self, vector])?;
        if self.shape().rank() != 2 || vector.shape().rank() != 1 || self.shape()[1] != vector.shape()[0] {
            return Err(not_that(OP, "a matrix [n, m] and a vector [m]", self, vector));
        }
        self.matmul(vector)
    }
}

fn not_that(op: &'static str, expected: &str, a: &Tensor, b: &Tensor) -> Error {
    Error::shape(op, format!("expected {expected}, came as {} and {}", a.shape(), b.shape()))
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("outer", |x| x[0].outer(&x[1])).input([3]).input([2]),
        Case::new("outer with itself", |x| x[0].outer(&x[0])).input([3]),
        Case::new("dot", |x| x[0].dot(&x[1])).input([4]).input([4]),
        Case::new("matrix and vector", |x| x[0].mv(&x[1])).input([3, 2]).input([2]),
        Case::new("dot of nothing", |x| x[0].dot(&x[1])).input([0]).input([0]).zero_gradient(0).zero_gradient(1),
    ]
}
