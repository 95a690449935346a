//! Vectors of length 1.

use taper_tensor::{Result, Tensor};

/// x / max(‖x‖, 1e-12) along the last axis, as PyTorch's `normalize`: a vector of zeros stays one. Halves are to be cast
/// before, since 1e-12 is 0 in f16.
pub(crate) fn unit(x: &Tensor) -> Result<Tensor> {
    x.div(&x.norm(2.0, &[-1], true)?.maximum_scalar(1e-12)?)
}
