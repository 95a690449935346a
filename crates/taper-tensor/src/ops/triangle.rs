//! The upper and lower triangles of matrices. The gradient is cut the same way.

use crate::Tensor;
use crate::gradcheck::Case;
use crate::patterns::places;
use taper_backend::{Error, Result};

impl Tensor {
    /// The upper triangle of each matrix of `[…, rows, columns]`, zeros below: what is on and above diagonal `diagonal`
    /// (0 is the main one, positive ones are above it).
    pub fn triu(&self, diagonal: isize) -> Result<Tensor> {
        triangle("triu", self, diagonal, Tensor::ge)
    }

    /// The lower triangle of each matrix of `[…, rows, columns]`, zeros above: what is on and below diagonal `diagonal`
    /// (0 is the main one, positive ones are above it).
    pub fn tril(&self, diagonal: isize) -> Result<Tensor> {
        triangle("tril", self, diagonal, Tensor::le)
    }
}

/// The elements whose diagonal, column − row, `kept` compares with `diagonal`.
fn triangle(
    op: &'static str,
    x: &Tensor,
    diagonal: isize,
    kept: fn(&Tensor, &Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let [.., rows, columns] = x.shape()[..] else {
        return Err(Error::shape(op, format!("expected a matrix, the shape is {}", x.shape())));
    };
    // No diagonal is further out than there are rows or columns.
    let diagonal = diagonal.clamp(-(rows as isize), columns as isize) as f64;
    let first = places(rows, x.device())?.add_scalar(diagonal)?.unsqueeze(1)?;
    let mask = kept(&places(columns, x.device())?, &first)?;
    mask.select(x, &x.scalar_like(0.0)?)
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("upper", |x| x[0].triu(0)).input([3, 4]),
        Case::new("upper, from above the diagonal, of several", |x| x[0].triu(1)).input([2, 3, 3]),
        Case::new("lower", |x| x[0].tril(0)).input([4, 3]),
        Case::new("lower, from below the diagonal", |x| x[0].tril(-1)).input([3, 3]),
    ]
}
