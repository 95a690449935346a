//! Gradient accumulation: the sum of gradients over micro-batches, for a batch that is too large for the device's
//! memory.

use super::wide;
use taper_tensor::{Gradients, Param, Result, Tensor, no_grad};

/// Sums gradients over micro-batches, on the device.
///
/// When the loss is a mean over its micro-batch, and there are `n` micro-batches of equal size, `take(1.0 / n)` is the
/// gradient of the mean over all of them.
#[derive(Debug)]
pub struct Accumulator {
    /// Each parameter with the sum of its gradients, if it had any.
    sums: Vec<(Param, Option<Tensor>)>,
}

impl Accumulator {
    /// Accumulates the gradients of `params`; those of other parameters are ignored.
    pub fn new(params: Vec<Param>) -> Self {
        Self { sums: params.into_iter().map(|param| (param, None)).collect() }
    }

    /// Adds the gradients of one micro-batch.
    pub fn add(&mut self, gradients: &Gradients) -> Result<()> {
        no_grad(|| {
            for (param, sum) in &mut self.sums {
                let Some(gradient) = gradients.of_param(param) else { continue };
                // Half-precision gradients are summed in f32: a sum in half precision would round after every addition.
                let gradient = gradient.detach().cast(wide(gradient.dtype()))?;
                *sum = Some(match sum {
                    Some(sum) => sum.add(&gradient)?,
                    None => gradient,
                });
            }
            Ok(())
        })
    }

    /// The sums times `scale`, in the parameters' dtypes. Starts the next sums from 0.
    pub fn take(&mut self, scale: f64) -> Result<Gradients> {
        let mut gradients = Gradients::default();
        for (param, sum) in &mut self.sums {
            if let Some(sum) = sum.take() {
                gradients.set_param(param, sum.mul_scalar(scale)?.cast(param.tensor().dtype())?);
            }
        }
        Ok(gradients)
    }
}
