//! The error function, erf x = 2/√π ∫₀ˣ e^(−t²) dt. Its derivative is 2/√π · e^(−x²).

use super::shorthand::unary;
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{Result, UnaryOp};

impl Tensor {
    /// erf x, element by element.
    pub fn erf(&self) -> Result<Tensor> {
        let y = unary("erf", UnaryOp::Erf, self)?;
        Ok(Tensor::record("erf", y, &[self], || {
            let x = self.clone();
            Rule::tensors(move |g, _| {
                Ok(vec![Some(g.mul(&x.exp_neg_square()?.mul_scalar(std::f64::consts::FRAC_2_SQRT_PI)?)?)])
            })
        }))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("around 0", |x| x[0].erf()).input_in([2, 3], -2.0, 2.0),
        Case::new("at 0 and far out", |x| x[0].erf()).values([3], vec![0.0, -3.5, 5.0]),
    ]
}
