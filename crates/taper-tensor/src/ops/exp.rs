//! y = eˣ. dy/dx = y.

use super::shorthand::{saved_or_recomputed, unary};
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Result, UnaryOp};

impl Tensor {
    /// eˣ, element by element.
    pub fn exp(&self) -> Result<Tensor> {
        let y = unary("exp", UnaryOp::Exp, self)?;
        Ok(Tensor::record("exp", y.clone(), &[self], || {
            let x = self.clone();
            Rule::tensors(move |g, _| {
                let y = saved_or_recomputed(g, &y, || x.exp())?;
                Ok(vec![Some(g.mul(&y)?)])
            })
        }))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("around 0", |x| x[0].exp()).input([2, 3]),
        Case::new("large and small", |x| x[0].exp()).values([3], vec![-30.0, 5.0, 0.0]),
    ]
}
