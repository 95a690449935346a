//! Products of matrices and vectors.

use super::call::{Answer, Arg, Call, Stop, lacking};
use super::pointwise::scale;
use super::table::Rule::{Sums, Ulps};
use super::table::{Op, call, one};
use taper_tensor::{Result, Tensor};

/// One line for each.
pub(super) fn ops() -> Vec<Op> {
    vec![
        call("matmul", Sums, |c| one(c.x()?.matmul(&c.tensor(1, "other")?))),
        call("__rmatmul__", Sums, |c| one(c.tensor(1, "other")?.matmul(&c.x()?))),
        call("mm", Sums, |c| one(c.x()?.matmul(&c.tensor(1, "mat2")?))),
        call("bmm", Sums, |c| one(c.x()?.matmul(&c.tensor(1, "mat2")?))),
        call("mv", Sums, |c| one(c.x()?.mv(&c.tensor(1, "vec")?))),
        call("dot", Sums, |c| one(c.x()?.dot(&c.tensor(1, "tensor")?))),
        call("vdot", Sums, |c| one(c.x()?.dot(&c.tensor(1, "other")?))),
        call("outer", Ulps(1.0), |c| one(c.x()?.outer(&c.tensor(1, "vec2")?))),
        call("inner", Sums, |c| {
            let (x, y) = (c.x()?, c.tensor(1, "other")?);
            // The last dimensions are summed over, which scalars have not.
            let letters = |from: char, rank: usize| (from..).take(rank - 1).chain(['z']).collect::<String>();
            match (x.shape().rank(), y.shape().rank()) {
                (0, _) | (_, 0) => one(x.mul(&y)),
                (a, b) => one(Tensor::einsum(&format!("{},{}", letters('a', a), letters('m', b)), &[&x, &y])),
            }
        }),
        call("einsum", Sums, |c| {
            let all = c.tensors()?;
            one(Tensor::einsum(&c.text(1, "equation", ""), &all.iter().collect::<Vec<_>>()))
        }),
        call("tensordot", Sums, |c| {
            let (x, y) = (c.x()?, c.tensor(1, "other")?);
            match c.find(2, "dims") {
                None => two_by_two(&x, &y, 2),
                Some(Arg::Int(dims)) => two_by_two(&x, &y, *dims as usize),
                Some(_) => lacking("dimensions of each"),
            }
        }),
        call("linalg.vecdot", Sums, |c| {
            one(c.x()?.mul(&c.tensor(1, "y")?)?.sum(&[c.int(2, "dim")?.unwrap_or(-1)], false))
        }),
        call("addmm", Sums, |c| plus(c, c.tensor(1, "mat1")?.matmul(&c.tensor(2, "mat2")?))),
        call("addmv", Sums, |c| plus(c, c.tensor(1, "mat")?.mv(&c.tensor(2, "vec")?))),
        call("addr", Sums, |c| plus(c, c.tensor(1, "vec1")?.outer(&c.tensor(2, "vec2")?))),
        call("baddbmm", Sums, |c| plus(c, c.tensor(1, "batch1")?.matmul(&c.tensor(2, "batch2")?))),
        call("addbmm", Sums, |c| plus(c, c.tensor(1, "batch1")?.matmul(&c.tensor(2, "batch2")?)?.sum(&[0], false))),
    ]
}

/// Over the last `dims` of x and the first of y.
fn two_by_two(x: &Tensor, y: &Tensor, dims: usize) -> Answer {
    let letters: Vec<char> = ('a'..='z').collect();
    let text = |from: usize, rank: usize| letters[from..from + rank].iter().collect::<String>();
    let (a, b) = (x.shape().rank(), y.shape().rank());
    let (left, right) = (text(0, a), text(a - dims, b));
    let output = format!("{}{}", text(0, a - dims), text(a, b - dims));
    one(Tensor::einsum(&format!("{left},{right}->{output}"), &[x, y]))
}

/// beta · x + alpha · product.
fn plus(c: &Call, product: Result<Tensor>) -> Result<Vec<Tensor>, Stop> {
    let (beta, alpha) = (c.number(3, "beta", 1.0)?, c.number(4, "alpha", 1.0)?);
    let (x, product) = (c.x()?, scale(&product?, alpha)?);
    // Without x, whatever it holds, where beta is 0.
    one(if beta == 0.0 { Ok(product) } else { scale(&x, beta)?.add(&product) })
}
