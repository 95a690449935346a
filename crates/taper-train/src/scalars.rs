//! Numbers that stay on the device until they are shown.

use taper_nn::{DType, Result, Tensor, no_grad};

/// `N` numbers on the device, in f64, which holds each as it is.
pub(crate) struct Scalars<const N: usize>(Tensor);

impl<const N: usize> Scalars<N> {
    /// Of tensors with one element each.
    pub(crate) fn new(parts: [&Tensor; N]) -> Result<Self> {
        no_grad(|| {
            let parts = parts.map(|part| part.detach().cast(DType::F64)?.reshape([1]));
            let parts = parts.into_iter().collect::<Result<Vec<_>>>()?;
            Tensor::concat(&parts.iter().collect::<Vec<_>>(), 0).map(Self)
        })
    }

    /// Moves all of them to the host at once. This waits for the device.
    pub(crate) fn read<'a>(all: impl IntoIterator<Item = &'a Self>) -> Result<Vec<[f64; N]>> {
        let all: Vec<&Tensor> = all.into_iter().map(|scalars| &scalars.0).collect();
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let values = no_grad(|| Tensor::concat(&all, 0))?.to_vec::<f64>()?;
        let (rows, _) = values.as_chunks::<N>();
        Ok(rows.to_vec())
    }
}
