//! Whether gradients can be used at all.

use taper_tensor::{HostData, Result, Tensor, no_grad};

/// Whether every element of every tensor is finite. The tensors are all on one device.
pub(super) fn all_finite(tensors: &[&Tensor]) -> Result<bool> {
    let Some(first) = tensors.first() else { return Ok(true) };
    let buffers = tensors.iter().map(|tensor| tensor.buffer()).collect::<Result<Vec<_>>>()?;
    if let Some(flag) = first.device().all_finite(&buffers)? {
        return Ok(matches!(first.device().download(&flag)?, HostData::U8(flag) if flag == [1]));
    }
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
