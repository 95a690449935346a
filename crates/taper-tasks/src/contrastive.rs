//! Contrastive divergence: a restricted Boltzmann machine, which has gradients but no loss to differentiate (G. E. Hinton,
//! "Training products of experts by minimizing contrastive divergence", Neural Computation 14, 2002).

use taper_models::{Rbm, bernoulli};
use taper_nn::{Context, DType, Gradients, Param, RandomKey, Tensor, no_grad};
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
        let loss = squared_error(&first.unwrap_or_else(|| v.clone()), v0)?;
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

/// Persistent contrastive divergence (T. Tieleman, "Training restricted Boltzmann machines using approximations to the
/// likelihood gradient", ICML 2008): as [`contrast`], but Gibbs sampling goes on from where the last step left it. `chain`
/// `[chains, visible]` holds that place. What is sampled later is so much more like the data, since the machine unlearns
/// whatever its own samples dwell on.
pub(crate) fn persist(
    rbm: &Rbm,
    v0: &Tensor,
    chain: &Param,
    steps: u64,
    key: RandomKey,
) -> Result<(Tensor, Gradients)> {
    no_grad(|| {
        let h0 = rbm.hidden(v0)?; // [N, hidden]
        let loss = squared_error(&rbm.visible(&bernoulli(&h0, key.child("data"))?)?, v0)?;
        let mut v = chain.tensor();
        for step in 0..steps.max(1) {
            let key = key.index(step);
            v = rbm.draw_visible(&bernoulli(&rbm.hidden(&v)?, key.child("hidden"))?, key.child("visible"))?;
        }
        chain.set(&v)?;
        let h = rbm.hidden(&v)?; // [chains, hidden]
        let pairs = |h: &Tensor, v: &Tensor| -> taper_nn::Result<Tensor> {
            h.transpose(0, 1)?.matmul(v)?.mul_scalar(1.0 / v.shape()[0] as f64) // [hidden, visible]
        };
        let less = |model: &Tensor, data: &Tensor| model.mean(&[0], false)?.sub(&data.mean(&[0], false)?);
        let mut gradients = Gradients::default();
        let weight = pairs(&h, &v)?.sub(&pairs(&h0, v0)?)?;
        rbm.set_gradients(&mut gradients, weight, less(&v, v0)?, less(&h, &h0)?)?;
        Ok((loss, gradients))
    })
}

/// The mean of (v − v0)².
fn squared_error(v: &Tensor, v0: &Tensor) -> taper_nn::Result<Tensor> {
    let error = v.sub(v0)?;
    error.mul(&error)?.cast(DType::F64)?.mean_all()
}
