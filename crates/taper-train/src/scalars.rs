//! Scalars that stay on the device until they are read together.

use taper_nn::{DType, Result, Tensor, no_grad};

/// Scalars on the device, in f64, which holds f32 values, counts and flags exactly.
pub(crate) struct Scalars;

impl Scalars {
    /// A row of scalars, from tensors with one element each.
    pub(crate) fn row<'a>(parts: impl IntoIterator<Item = &'a Tensor>) -> Result<Tensor> {
        no_grad(|| {
            let parts = parts.into_iter().map(|part| part.detach().cast(DType::F64)?.reshape([1]));
            let parts = parts.collect::<Result<Vec<_>>>()?;
            Tensor::concat(&parts.iter().collect::<Vec<_>>(), 0)
        })
    }

    /// Reads all rows to the host at once. This waits for the device.
    pub(crate) fn read(all: &[&Tensor]) -> Result<Vec<Vec<f64>>> {
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let flat = all.iter().map(|row| row.reshape([row.count()])).collect::<Result<Vec<_>>>()?;
        let values = no_grad(|| Tensor::concat(&flat.iter().collect::<Vec<_>>(), 0))?.to_vec::<f64>()?;
        let mut rest = values.as_slice();
        Ok(all.iter().map(|row| rest.split_off(..row.count()).unwrap_or_default().to_vec()).collect())
    }
}
