//! Products over axes. Composed of products of halves, whose rules divide by nothing: zeros in the input have the right
//! gradients, in every order.

use super::shorthand::{in_f32, is_half};
use crate::Tensor;
use crate::gradcheck::Case;
use taper_backend::{DType, PadAmount, Result};

impl Tensor {
    /// The product over `axes` (−1 is the last; none means all), 1 over no elements. With `keepdim` the axes are kept with
    /// size 1, else removed. The product of u8 is i64, as in PyTorch. Integers wrap.
    pub fn prod(&self, axes: &[isize], keepdim: bool) -> Result<Tensor> {
        let found = self.shape().axes("prod", axes)?;
        if self.dtype() == DType::U8 {
            return self.cast(DType::I64)?.prod(axes, keepdim);
        }
        if is_half(self) {
            return in_f32(self, |x| x.prod(axes, keepdim));
        }
        // The axes in front, as one.
        let from: Vec<isize> = found.iter().map(|&axis| axis as isize).collect();
        let count = found.iter().map(|&axis| self.shape()[axis]).product();
        let others: Vec<usize> =
            (0..self.shape().rank()).filter(|axis| !found.contains(axis)).map(|axis| self.shape()[axis]).collect();
        let to: Vec<isize> = (0..from.len() as isize).collect();
        let mut y = self.movedim(&from, &to)?.reshape([&[count][..], &others].concat())?;
        while y.shape()[0] != 1 {
            if y.shape()[0] % 2 == 1 || y.shape()[0] == 0 {
                let mut one_more = vec![PadAmount::default(); y.shape().rank()];
                one_more[0].high = 1;
                y = y.pad(&one_more, 1.0)?;
                continue;
            }
            let half = y.shape()[0] / 2;
            y = y.narrow(0, 0, half)?.mul(&y.narrow(0, half, half)?)?;
        }
        y.reshape(if keepdim { self.shape().reduced(&found) } else { others.into() })
    }
}

pub(super) fn cases() -> Vec<Case> {
    let with_zeros =
        |name, values: Vec<f64>| Case::new(name, |x| x[0].prod(&[0], false)).values([values.len()], values);
    vec![
        Case::new("all", |x| x[0].prod(&[], false)).input([2, 3]),
        Case::new("the last axis", |x| x[0].prod(&[-1], false)).input([2, 5]),
        Case::new("outer axes, kept", |x| x[0].prod(&[0, 2], true)).input([2, 3, 2]),
        Case::new("a scalar", |x| x[0].prod(&[], false)).input([]),
        Case::new("over nothing", |x| x[0].prod(&[0], false)).input([0, 3]).zero_gradient(0),
        with_zeros("one zero", vec![0.5, -2.0, 0.0, 1.5, 0.7]),
        // Every derivative of the first order is 0, not those of the second.
        with_zeros("two zeros", vec![0.5, 0.0, 0.8, 0.0]).zero_gradient(0),
        with_zeros("three zeros", vec![0.0, 0.0, 0.8, 0.0]).zero_gradient(0),
    ]
}
