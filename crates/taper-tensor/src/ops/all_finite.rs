//! Whether all elements of some tensors are finite. An optimiser skips the step where gradients are not.

use super::shorthand::plain;
use crate::gradcheck::Case;
use crate::{Tensor, check, no_grad};
use taper_backend::{DType, Error, Result};

impl Tensor {
    /// 1 (a u8 scalar) when every element of every tensor (floats, at least one tensor) is finite, else 0.
    pub fn all_finite(tensors: &[&Tensor]) -> Result<Tensor> {
        const OP: &str = "all_finite";
        let first = *tensors.first().ok_or_else(|| Error::argument(OP, "expected at least one tensor"))?;
        for (i, tensor) in tensors.iter().enumerate() {
            check::float(OP, tensor)?;
            check::same_device(OP, "tensor 0", first, &format!("tensor {i}"), tensor)?;
        }
        let buffers = tensors.iter().map(|tensor| tensor.buffer()).collect::<Result<Vec<_>>>()?;
        match first.device().all_finite(&buffers)? {
            Some(flag) => Ok(plain(first, flag)),
            None => no_grad(|| composed(first, tensors)),
        }
    }
}

/// The same in tensor operations.
fn composed(first: &Tensor, tensors: &[&Tensor]) -> Result<Tensor> {
    // x − x is 0 where x is finite and NaN elsewhere, and a sum with a NaN is NaN.
    let zero = first.scalar_like(0.0)?;
    let add = |sum: Tensor, x: &&Tensor| sum.add(&x.sub(x)?.sum_all()?.cast(zero.dtype())?);
    tensors.iter().try_fold(zero.clone(), add)?.eq(&zero)
}

pub(super) fn cases() -> Vec<Case> {
    let finite = |x: &[Tensor]| Tensor::all_finite(&[&x[0], &x[1]])?.cast(DType::F64);
    vec![Case::new("two", finite).input([2, 3]).input([]).zero_gradient(0).zero_gradient(1)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_backend::Device;

    #[test]
    fn one_bad_element_is_found() -> Result<()> {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1)?);
        let finite = |tensors: &[&Tensor]| -> Result<bool> {
            let flags = [Tensor::all_finite(tensors)?, composed(tensors[0], tensors)?];
            assert!(flags.iter().all(|flag| flag.dtype() == DType::U8 && flag.shape().rank() == 0), "{flags:?}");
            let [fused, composed] = flags.map(|flag| flag.item());
            assert_eq!(fused, composed, "{tensors:?}");
            Ok(fused? != 0.0)
        };
        let tensor = |values: [f32; 3]| Tensor::from_vec(values.to_vec(), [3], &device);
        let good = tensor([f32::MAX, 1.0, f32::MAX])?; // whose sum is not finite
        let double = good.cast(DType::F64)?;
        assert!(Tensor::all_finite(&[]).is_err() && finite(&[&good, &good])? && finite(&[&good, &double])?);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let bad = tensor([0.0, 1.0, bad])?;
            assert!(!finite(&[&good, &bad])? && !finite(&[&bad, &good])? && !finite(&[&double, &bad])?, "{bad:?}");
        }
        Ok(())
    }
}
