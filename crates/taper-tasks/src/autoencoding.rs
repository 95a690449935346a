//! Autoencoding: the input itself is the target.

use taper_nn::{Context, DType, Module, no_grad};
use taper_train::{Better, DeviceBatch, Metric, Result, Sums, Task};

/// The task of reconstructing the field `inputs`, with a model that gives a tensor of their shape.
///
/// Metrics: the loss (mean squared error of a value) and the peak signal-to-noise ratio for values in [0, 1],
/// −10 log₁₀ of that, in dB.
pub struct Autoencoding<M>(pub M);

impl<M: Module> Task for Autoencoding<M> {
    fn metrics(&self) -> Vec<Metric> {
        let psnr = Metric { of: |square| -10.0 * square.log10(), ..Metric::new("psnr", "dB", Better::Higher) };
        vec![Metric::loss("squared error"), psnr]
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let x = batch.float("inputs")?;
        let error = self.0.forward(&x, context)?.sub(&x)?;
        let square = error.mul(&error)?;
        let squares = no_grad(|| square.detach().cast(DType::F64)?.sum_all())?;
        let count = x.count();
        Ok(Sums::mean(square.mean_all()?, count).with("psnr", squares, count))
    }
}
