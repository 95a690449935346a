//! Matrix products, batched. For C = A B: dL/dA = G Bᵀ, dL/dB = Aᵀ G.

use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Error, Result, Shape};

impl Tensor {
    /// `[…, m, k] × […, k, n]` gives `[…, m, n]`; leading dimensions broadcast. A vector `[k]` is a row on the left and a
    /// column on the right, and that dimension is not in the result: `[k] × […, k, n]` gives `[…, n]`, `[…, m, k] × [k]`
    /// gives `[…, m]`, and two vectors give a scalar.
    pub fn matmul(&self, other: &Tensor) -> Result<Tensor> {
        let (plain, ranks) = ([false, false], (self.shape().rank(), other.shape().rank()));
        if let (1, at @ 1..) | (at @ 1.., 1) = ranks {
            let (k, inner) = if ranks.0 == 1 { (self, other) } else { (other, self) };
            let dim = if ranks.0 == 1 { at.saturating_sub(2) } else { at - 1 };
            if k.shape()[0] != inner.shape()[dim] {
                let (inner, k) = (inner.shape(), k.shape());
                let detail = format!("a vector {k} does not fit {inner}, whose dim {dim} is {}", inner[dim]);
                return Err(Error::shape("matmul", detail));
            }
        }
        match ranks {
            (1, 1) => product(&self.unsqueeze(0)?, &other.unsqueeze(1)?, plain)?.reshape([]),
            (1, 2..) => product(&self.unsqueeze(0)?, other, plain)?.squeeze(-2),
            (2.., 1) => product(self, &other.unsqueeze(1)?, plain)?.squeeze(-1),
            _ => product(self, other, plain),
        }
    }

    /// The matrix product with transposed factors: this tensor is `[…, k, m]` where `transpose[0]` is set, `other` is
    /// `[…, n, k]` where `transpose[1]` is.
    pub fn matmul_t(&self, other: &Tensor, transpose: [bool; 2]) -> Result<Tensor> {
        product(self, other, transpose)
    }
}

fn product(a: &Tensor, b: &Tensor, [ta, tb]: [bool; 2]) -> Result<Tensor> {
    check::same("matmul", &["a", "b"], &[a, b])?;
    check::float("matmul", a)?;
    let (rank_a, rank_b) = (a.shape().rank(), b.shape().rank());
    if rank_a < 2 || rank_b < 2 {
        let detail = format!(
            "expected matrices, batches of them or for matmul vectors, came as {} and {}",
            a.shape(),
            b.shape()
        );
        return Err(Error::shape("matmul", detail));
    }
    // The inner dimension is a's last and b's last but one, the other way round where transposed.
    let (inner_a, inner_b) = (rank_a - 1 - usize::from(ta), rank_b - 2 + usize::from(tb));
    if a.shape()[inner_a] != b.shape()[inner_b] {
        let detail = format!(
            "inner dimensions differ: {} (dim {inner_a} of {}{}) against {} (dim {inner_b} of {}{})",
            a.shape()[inner_a],
            a.shape(),
            if ta { ", transposed" } else { "" },
            b.shape()[inner_b],
            b.shape(),
            if tb { ", transposed" } else { "" },
        );
        return Err(Error::shape("matmul", detail));
    }
    if rank_a > 2 && rank_b == 2 && !ta {
        // One matrix b for the whole batch: one product of all rows of a, instead of a copy of b for each batch
        // element.
        let rows = a.shape()[..rank_a - 1].iter().product();
        let c = product(&a.reshape([rows, a.shape()[rank_a - 1]])?, b, [false, tb])?;
        return c.reshape([&a.shape()[..rank_a - 1], &c.shape()[1..]].concat());
    }
    let batch = Shape::from(&a.shape()[..rank_a - 2]).broadcast_with(&b.shape()[..rank_b - 2].into(), "matmul")?;
    let full = |x: &Tensor| x.broadcast_to([&batch[..], &x.shape()[x.shape().rank() - 2..]].concat());
    let (a, b) = (full(a)?, full(b)?);
    let (m, n) = (a.shape()[a.shape().rank() - 2 + usize::from(ta)], b.shape()[b.shape().rank() - 1 - usize::from(tb)]);
    check::size("matmul", &[&batch[..], &[m, n]].concat().into(), a.dtype())?;
    let c = a.device().matmul(a.buffer()?, b.buffer()?, ta, tb)?;
    Ok(Tensor::record("matmul", c, &[&a, &b], || {
        let (a, b) = (a.clone(), b.clone());
        Rule::tensors(move |g, needs| {
            // With A' = A or Aᵀ as multiplied: dA' = G B'ᵀ and dB' = A'ᵀ G, transposed where the factor was.
            let of_a = || if ta { b.matmul_t(g, [tb, true]) } else { g.matmul_t(&b, [false, !tb]) };
            let of_b = || if tb { g.matmul_t(&a, [true, ta]) } else { a.matmul_t(g, [!ta, false]) };
            Ok(vec![needs[0].then(of_a).transpose()?, needs[1].then(of_b).transpose()?])
        })
    }))
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new("batched", |x| x[0].matmul(&x[1])).input([2, 3, 4]).input([2, 4, 2]),
        Case::new("broadcast batch", |x| x[0].matmul(&x[1])).input([2, 1, 3, 4]).input([3, 4, 2]),
        Case::new("one matrix for a batch", |x| x[0].matmul(&x[1])).input([2, 3, 4]).input([4, 2]),
        Case::new("one matrix for a batch, transposed", |x| x[0].matmul_t(&x[1], [false, true]))
            .input([2, 3, 4])
            .input([2, 4]),
        Case::new("a batch for one matrix", |x| x[0].matmul(&x[1])).input([3, 4]).input([2, 4, 2]),
        Case::new("one row", |x| x[0].matmul(&x[1])).input([1, 5]).input([5, 1]),
        Case::new("with itself", |x| x[0].matmul(&x[0])).input([3, 3]),
        Case::new("two vectors", |x| x[0].matmul(&x[1])).input([4]).input([4]),
        Case::new("a vector and a batch", |x| x[0].matmul(&x[1])).input([4]).input([2, 4, 3]),
        Case::new("a batch and a vector", |x| x[0].matmul(&x[1])).input([2, 3, 4]).input([4]),
        Case::new("a permuted factor", |x| x[0].permute(&[1, 0])?.matmul(&x[1])).input([4, 3]).input([4, 2]),
        Case::new("over nothing", |x| x[0].matmul(&x[1])).input([2, 0]).input([0, 3]).zero_gradient(0).zero_gradient(1),
    ];
    for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
        let a = if ta { [4, 3] } else { [3, 4] };
        let b = if tb { [2, 4] } else { [4, 2] };
        let name = format!("transpose {ta} {tb}");
        cases.push(Case::new(name, move |x| x[0].matmul_t(&x[1], [ta, tb])).input(a).input(b));
    }
    cases
}
