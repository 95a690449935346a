//! Cumulative products along an axis: y_i = x_0 · … · x_i. Composed of products, whose rules divide by nothing: zeros in
//! the input have the right gradients, in every order.

use super::cumsum::scan;
use super::shorthand::{in_f32, is_half};
use crate::Tensor;
use crate::gradcheck::Case;
use taper_backend::{DType, Result};

impl Tensor {
    /// The products of the elements along `axis` (−1 is the last) up to and including each one. Those of u8 are i64, as
    /// in PyTorch. Integers wrap.
    ///
    /// Composed of products, in time and memory proportional to the number of elements.
    pub fn cumprod(&self, axis: isize) -> Result<Tensor> {
        let at = self.shape().axis("cumprod", axis)?;
        if self.dtype() == DType::U8 {
            return self.cast(DType::I64)?.cumprod(axis);
        }
        if is_half(self) {
            return in_f32(self, |x| x.cumprod(axis));
        }
        scan(self, at, Tensor::mul, 1.0)
    }
}

pub(super) fn cases() -> Vec<Case> {
    let with_zeros = |name, values: Vec<f64>| Case::new(name, |x| x[0].cumprod(0)).values([values.len()], values);
    vec![
        Case::new("the last axis", |x| x[0].cumprod(-1)).input([2, 5]),
        Case::new("the first axis", |x| x[0].cumprod(0)).input([4, 2]),
        Case::new("in blocks", |x| x[0].cumprod(0)).input_in([67], 0.8, 1.2),
        with_zeros("one zero", vec![0.5, -2.0, 0.0, 1.5, 0.7]),
        with_zeros("two zeros", vec![0.0, -2.0, 0.8, 0.0, 0.7, 1.1]),
        with_zeros("zeros alone", vec![0.0, 0.0]),
    ]
}
