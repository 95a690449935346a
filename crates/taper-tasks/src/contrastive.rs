//! Contrastive divergence: a restricted Boltzmann machine, which has gradients but no loss to differentiate (G. E. Hinton,
//! "Training products of experts by minimizing contrastive divergence", Neural Computation 14, 2002).

use taper_models::{Rbm, bernoulli};
use taper_nn::{Context, DType, Gradients, Tensor, no_grad};
use taper_train::{DeviceBatch, Metric, Result, Sums, Task};

/// The task of making the field `inputs`, values in [0, 1], likely to a restricted Boltzmann machine, by CD-k: the gradient
/// is ⟨v hᵀ⟩ of the data less that after `steps` steps of Gibbs sampling.
///
/// Metrics: the loss is the squared error of the reconstruction, by which learning is watched and which nothing minimises.
pub struct ContrastiveDivergence {
    /// The machine.
    pub rbm: Rbm,
    /// k, the steps of Gibbs sampling, 1 or more.
    pub steps: u64,
}

impl Task for ContrastiveDivergence {
    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::loss("squared error")]
    }

    fn train(&self, batch: &DeviceBatch<'_>, _context: &Context) -> Result<Sums> {
        let (Self { rbm, steps }, key) = (self, batch.key("gibbs"));
        let v0 = batch.float("inputs")?.flatten(1)?; // [N, visible]
        no_grad(|| {
            let h0 = rbm.hidden(&v0)?; // [N, hidden]
            let (mut v, mut h) = (v0.clone(), h0.clone());
            let mut first = None;
            for step in 0..(*steps).max(1) {
                v = rbm.visible(&bernoulli(&h, key.index(step))?)?;
                h = rbm.hidden(&v)?;
                first.get_or_insert_with(|| v.clone());
            }
            let error = first.unwrap_or_else(|| v.clone()).sub(&v0)?;
            let loss = error.mul(&error)?.cast(DType::F64)?.mean_all()?;
            let n = 1.0 / batch.len() as f64;
            // Gradients of what is minimised: those of the log-likelihood with the sign turned.
            let mut gradients = Gradients::default();
            let pairs = |h: &Tensor, v: &Tensor| h.transpose(0, 1)?.matmul(v); // [hidden, visible]
            gradients.set_param(rbm.weight(), pairs(&h, &v)?.sub(&pairs(&h0, &v0)?)?.mul_scalar(n)?);
            gradients.set_param(rbm.visible_bias(), v.sub(&v0)?.mean(&[0], false)?);
            gradients.set_param(rbm.hidden_bias(), h.sub(&h0)?.mean(&[0], false)?);
            Ok(Sums::mean(loss, batch.len() * v0.shape()[1]).with_gradients(gradients))
        })
    }
}
