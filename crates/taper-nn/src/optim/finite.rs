//! Whether gradients can be used at all.

use taper_tensor::{DType, Result, Tensor, no_grad};

/// 1 (a u8 scalar) when every element of every tensor is finite, else 0; `None` for no tensors. They are all on one device,
/// and the answer stays there.
pub(super) fn all_finite(tensors: &[&Tensor]) -> Result<Option<Tensor>> {
    let Some(first) = tensors.first() else { return Ok(None) };
    let buffers = tensors.iter().map(|tensor| tensor.buffer()).collect::<Result<Vec<_>>>()?;
    match first.device().all_finite(&buffers)? {
        Some(flag) => Tensor::from_buffer(flag, first.device()).map(Some),
        None => no_grad(|| composed(first, tensors)).map(Some),
    }
}

/// The same in tensor operations.
fn composed(first: &Tensor, tensors: &[&Tensor]) -> Result<Tensor> {
    // x − x is 0 for what is finite and NaN for the rest, and a sum with a NaN is NaN.
    let zero = first.scalar_like(0.0)?;
    let add = |sum: Tensor, x: &&Tensor| sum.add(&x.sub(x)?.sum_all()?.cast(zero.dtype())?);
    tensors.iter().try_fold(zero.clone(), add)?.eq(&zero)
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_tensor::Device;

    #[test]
    fn one_bad_element_is_found() -> Result<()> {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1)?);
        let finite = |tensors: &[&Tensor]| -> Result<bool> {
            let flags = [all_finite(tensors)?.expect("there are tensors"), composed(tensors[0], tensors)?];
            assert!(flags.iter().all(|flag| flag.dtype() == DType::U8 && flag.shape().rank() == 0), "{flags:?}");
            let [fused, composed] = flags.map(|flag| flag.item());
            assert_eq!(fused, composed, "{tensors:?}");
            Ok(fused? != 0.0)
        };
        let tensor = |values: [f32; 3]| Tensor::from_vec(values.to_vec(), [3], &device);
        let good = tensor([f32::MAX, f32::MIN, 0.0])?;
        let double = good.cast(DType::F64)?;
        assert!(all_finite(&[])?.is_none() && finite(&[&good, &good])? && finite(&[&good, &double])?);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let bad = tensor([0.0, 1.0, bad])?;
            assert!(!finite(&[&good, &bad])? && !finite(&[&bad, &good])? && !finite(&[&double, &bad])?, "{bad:?}");
        }
        Ok(())
    }
}
