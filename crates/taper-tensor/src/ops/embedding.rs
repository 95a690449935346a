//! Embedding: rows of a table chosen by index. The gradient of a row is the sum of the gradients of its uses.

use super::shorthand::fused;
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::{Error, FusedOp, Result};

impl Tensor {
    /// Rows `index` (i64, of any shape, each in `0..rows`) of this table `[rows, width]`: `[…, width]`.
    pub fn embedding(&self, index: &Tensor) -> Result<Tensor> {
        check::index("embedding", index)?;
        check::same_device("embedding", "the table", self, "index", index)?;
        if self.shape().rank() != 2 {
            return Err(Error::shape(
                "embedding",
                format!("the table must be [rows, width], came as {}", self.shape()),
            ));
        }
        let again = index.clone();
        fused(
            "embedding",
            &[self, index],
            |x| Ok(FusedOp::Embedding { weight: x[0].buffer()?, index: x[1].buffer()? }),
            move |x| composed(&x[0], &again),
        )
    }
}

/// The composed version: a gather along dimension 0.
fn composed(table: &Tensor, index: &Tensor) -> Result<Tensor> {
    let width = table.shape()[1];
    let column = index.reshape([index.count(), 1])?.broadcast_to([index.count(), width])?;
    table.gather(0, &column)?.reshape([&index.shape()[..], &[width]].concat())
}

pub(super) fn cases() -> Vec<Case> {
    let rows = |index: &'static [i64], shape: &'static [usize]| {
        move |x: &[Tensor]| x[0].embedding(&Tensor::from_vec(index.to_vec(), shape, x[0].device())?)
    };
    vec![
        Case::new("one twice, one never", rows(&[2, 0, 2], &[3])).input([4, 3]),
        Case::new("a batch of sequences", rows(&[0, 1, 1, 2, 0, 0], &[2, 3])).input([3, 2]),
        Case::new("one index", rows(&[1], &[])).input([2, 3]),
    ]
}
