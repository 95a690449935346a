//! Sums of gradients over micro-batches: one step of a batch that is too large for the device's memory.

use super::wide;
use taper_tensor::{Gradients, Param, Result, Tensor, no_grad};

/// The sum of gradients, on the device.
///
/// With a loss that is a mean over its micro-batch, and `n` of equal size, `take(1.0 / n)` is the gradient of the mean
/// over all of them.
#[derive(Debug)]
pub struct Accumulator {
    /// Parameters, each with the sum of its gradients, if there was one.
    sums: Vec<(Param, Option<Tensor>)>,
}

impl Accumulator {
    /// For the gradients of `params`; others are passed over.
    pub fn new(params: Vec<Param>) -> Self {
        Self { sums: params.into_iter().map(|param| (param, None)).collect() }
    }

    /// Adds the gradients of one micro-batch.
    pub fn add(&mut self, gradients: &Gradients) -> Result<()> {
        no_grad(|| {
            for (param, sum) in &mut self.sums {
                let Some(gradient) = gradients.of_param(param) else { continue };
                // In f32 for halves, of whose sums every term may take half a step.
                let gradient = gradient.detach().cast(wide(gradient.dtype()))?;
                *sum = Some(match sum {
                    Some(sum) => sum.add(&gradient)?,
                    None => gradient,
                });
            }
            Ok(())
        })
    }

    /// The sums times `scale`; the next ones start from nothing.
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
