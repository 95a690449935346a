//! Conversion to another dtype. Between floats the gradient is cast back; to and from integers there is none.

use super::shorthand::plain;
use crate::Tensor;
use crate::gradcheck::Case;
use crate::tape::Rule;
use taper_backend::{DType, Result};

impl Tensor {
    /// The same values in `dtype`. Floats to integers truncate towards zero and saturate. Gradients flow only from
    /// float to float.
    pub fn cast(&self, dtype: DType) -> Result<Tensor> {
        let from = self.dtype();
        if from == dtype {
            return Ok(self.clone());
        }
        let y = self.device().cast(self.buffer()?, dtype)?;
        if !from.is_float() || !dtype.is_float() {
            return Ok(plain(self, y));
        }
        Ok(Tensor::record("cast", y, &[self], || Rule::tensors(move |g, _| Ok(vec![Some(g.cast(from)?)]))))
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("to the same", |x| x[0].cast(DType::F64)?.mul(&x[0])).input([3]),
        Case::new("to i64 and back", |x| x[0].cast(DType::I64)?.cast(DType::F64))
            .values([3], vec![1.5, -2.5, 0.5])
            .zero_gradient(0),
        Case::new("to u8 and back", |x| x[0].cast(DType::U8)?.cast(DType::F64))
            .values([2], vec![1.5, 200.5])
            .zero_gradient(0),
        // Rounding to f32 is a step function, finer than finite differences resolve: the gradient is compared with a
        // declared one.
        Case::new("through f32", |x| x[0].cast(DType::F32)?.cast(DType::F64)?.mul_scalar(3.0))
            .input([4])
            .subgradient(0, vec![3.0; 4]),
    ]
}
