//! y = 1 / √x. dy/dx = −y³ / 2, by the rules of the root and the inverse.

use super::shorthand::{in_f32, is_half};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::Result;

impl Tensor {
    /// 1 / √x, element by element; NaN for x < 0, infinite at 0. Of every other x it is a number that the dtype holds.
    pub fn rsqrt(&self) -> Result<Tensor> {
        check::float("rsqrt", self)?;
        if is_half(self) {
            return in_f32(self, Tensor::rsqrt);
        }
        self.sqrt()?.recip()
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("positive", |x| x[0].rsqrt()).input_in([2, 3], 0.5, 4.0),
        Case::new("large and small", |x| x[0].rsqrt()).values([2], vec![40.0, 0.02]),
    ]
}
