//! z = a where a condition holds, b elsewhere (PyTorch's `where`). The gradient of each element goes to the one of a
//! and b that it was taken from.

use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{DType, Error, Result};

impl Tensor {
    /// `a` where this tensor (u8, as comparisons give) is not 0, `b` elsewhere. All three broadcast.
    pub fn select(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        const OP: &str = "select";
        if self.dtype() != DType::U8 {
            return Err(Error::dtype(
                OP,
                format!("the condition must be u8, it is {}: compare or cast it", self.dtype()),
            ));
        }
        check::same(OP, &["a", "b"], &[a, b])?;
        check::same_device(OP, "a", a, "the condition", self)?;
        a.shape().broadcast_with(b.shape(), OP)?.broadcast_with(self.shape(), OP)?;
        let z = a.device().select(self.buffer()?, a.buffer()?, b.buffer()?)?;
        Ok(Tensor::record(OP, z, &[a, b], || {
            let condition = self.clone();
            Rule::tensors(move |g, needs| {
                let zero = g.scalar_like(0.0)?;
                let of_a = || condition.select(g, &zero);
                let of_b = || condition.select(&zero, g);
                Ok(vec![needs[0].then(of_a).transpose()?, needs[1].then(of_b).transpose()?])
            })
        }))
    }
}

pub(super) fn cases() -> Vec<Case> {
    let mask = |values: &'static [u8], shape: &'static [usize]| {
        move |x: &[Tensor]| Tensor::from_vec(values.to_vec(), shape, x[0].device())?.select(&x[0], &x[1])
    };
    vec![
        Case::new("same shapes", mask(&[1, 0, 0, 1, 7, 0], &[2, 3])).input([2, 3]).input([2, 3]),
        Case::new("all broadcast", mask(&[1, 0], &[2, 1])).input([3]).input([]),
        Case::new("one side never", mask(&[1], &[])).input([2]).input([2]).zero_gradient(1),
    ]
}
