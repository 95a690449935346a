//! Contrastive divergence: a restricted Boltzmann machine, which has gradients but no loss to differentiate (G. E. Hinton,
//! "Training products of experts by minimizing contrastive divergence", Neural Computation 14, 2002).

use taper_models::{Rbm, bernoulli};
use taper_nn::{Context, DType, Gradients, RandomKey, Tensor, no_grad};
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
        let v0 = batch.float("inputs")?.flatten(1)?; // [N, visible]
        let (loss, gradients) = contrast(&self.rbm, &v0, self.steps, batch.key("gibbs"))?;
        Ok(Sums::mean(loss, v0.count()).with_gradients(gradients))
    }
}

/// CD-k: the mean squared error of the reconstruction of `v0` `[N, visible]`, and the gradients of the machine's parameters.
/// Hidden units that drive a reconstruction are samples, all else is probabilities (G. E. Hinton, "A practical guide to
/// training restricted Boltzmann machines", 2010, section 3).
pub(crate) fn contrast(rbm: &Rbm, v0: &Tensor, steps: u64, key: RandomKey) -> Result<(Tensor, Gradients)> {
    no_grad(|| {
        let h0 = rbm.hidden(v0)?; // [N, hidden]
        let (mut v, mut h) = (v0.clone(), h0.clone());
        let mut first = None;
        for step in 0..steps.max(1) {
            v = rbm.visible(&bernoulli(&h, key.index(step))?)?;
            h = rbm.hidden(&v)?;
            first.get_or_insert_with(|| v.clone());
        }
        let error = first.unwrap_or_else(|| v.clone()).sub(v0)?;
        let loss = error.mul(&error)?.cast(DType::F64)?.mean_all()?;
        let n = 1.0 / v0.shape()[0] as f64;
        // Gradients of what is minimised: those of the log-likelihood with the sign turned.
        let mut gradients = Gradients::default();
        let pairs = |h: &Tensor, v: &Tensor| h.transpose(0, 1)?.matmul(v); // [hidden, visible]
        let weight = pairs(&h, &v)?.sub(&pairs(&h0, v0)?)?.mul_scalar(n)?;
        let (visible, hidden) = (v.sub(v0)?.mean(&[0], false)?, h.sub(&h0)?.mean(&[0], false)?);
        rbm.set_gradients(&mut gradients, weight, visible, hidden)?;
        Ok((loss, gradients))
    })
}
