//! Batched matrix products.

use super::memory::{coordinates, position, rounded, values};
use super::unsupported;
use taper_backend::{Buffer, Result, Shape};

pub fn matmul(a: &Buffer, b: &Buffer, transpose_a: bool, transpose_b: bool) -> Result<Buffer> {
    if !a.dtype().is_float() {
        return Err(unsupported("matmul", a.dtype()));
    }
    let rank = a.shape().rank();
    let (m, k) = if transpose_a {
        (a.shape()[rank - 1], a.shape()[rank - 2])
    } else {
        (a.shape()[rank - 2], a.shape()[rank - 1])
    };
    let n = if transpose_b { b.shape()[rank - 2] } else { b.shape()[rank - 1] };
    let batch = &a.shape()[..rank - 2];
    let shape: Shape = [batch, &[m, n]].concat().into();
    let (x, y) = (values(a)?, values(b)?);
    // The position of row `i`, column `j` of the matrix at `batch`.
    let at = |of: &Buffer, batch: &[usize], i: usize, j: usize, transposed: bool| {
        let matrix = if transposed { [j, i] } else { [i, j] };
        position(of.shape(), &[batch, &matrix].concat())
    };
    let z: Vec<f64> = coordinates(&shape)
        .map(|c| {
            let (batch, i, j) = (&c[..rank - 2], c[rank - 2], c[rank - 1]);
            (0..k)
                .map(|l| x[at(a, batch, i, l, transpose_a)] * y[at(b, batch, l, j, transpose_b)])
                .fold(0.0, |sum, product| sum + product)
        })
        .collect();
    Ok(rounded(&shape, &z, a.dtype()))
}
