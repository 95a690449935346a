//! y = tan x = sin x / cos x. dy/dx = 1 / cos² x.

use super::shorthand::{in_f32, is_half, with_rule};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::Result;

impl Tensor {
    /// tan x, element by element.
    pub fn tan(&self) -> Result<Tensor> {
        check::float("tan", self)?;
        if is_half(self) {
            return in_f32(self, Tensor::tan);
        }
        with_rule(
            "tan",
            self,
            || self.sin()?.div(&self.cos()?),
            |g, x| {
                let cos = x.cos()?;
                g.div(&cos)?.div(&cos)
            },
        )
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("around 0", |x| x[0].tan()).input([2, 3]),
        Case::new("beyond the poles", |x| x[0].tan()).values([4], vec![2.0, -2.5, 4.0, 0.0]),
    ]
}
