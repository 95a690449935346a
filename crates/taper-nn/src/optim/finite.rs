//! Whether gradients can be used at all.

use taper_tensor::{HostData, Result, Tensor, no_grad};

/// Whether every element of every tensor is finite. The tensors are all on one device.
pub(super) fn all_finite(tensors: &[&Tensor]) -> Result<bool> {
    let Some(first) = tensors.first() else { return Ok(true) };
    let buffers = tensors.iter().map(|tensor| tensor.buffer()).collect::<Result<Vec<_>>>()?;
    if let Some(flag) = first.device().all_finite(&buffers)? {
        return Ok(matches!(first.device().download(&flag)?, HostData::U8(flag) if flag == [1]));
    }
    composed(tensors)
}

/// The same in tensor operations.
fn composed(tensors: &[&Tensor]) -> Result<bool> {
    // x − x is 0 for what is finite and NaN for the rest, and a sum with a NaN is NaN.
    no_grad(|| {
        for tensor in tensors {
            if tensor.sub(tensor)?.sum_all()?.item()?.is_nan() {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use taper_tensor::Device;

    #[test]
    fn one_bad_element_is_found() -> Result<()> {
        let device = Device::new(taper_cpu::CpuBackend::with_threads(1)?);
        let tensor = |values: [f32; 3]| Tensor::from_vec(values.to_vec(), [3], &device);
        let good = tensor([f32::MAX, f32::MIN, 0.0])?;
        assert!(all_finite(&[])? && all_finite(&[&good, &good])? && composed(&[&good, &good])?);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let bad = tensor([0.0, 1.0, bad])?;
            assert!(!all_finite(&[&good, &bad])? && !composed(&[&good, &bad])?, "{bad:?}");
            assert!(!all_finite(&[&bad, &good])? && !composed(&[&bad, &good])?, "{bad:?}");
        }
        Ok(())
    }
}
