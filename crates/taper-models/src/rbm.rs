//! The restricted Boltzmann machine: P. Smolensky, 1986; trained as in G. E. Hinton, "Training products of experts by
//! minimizing contrastive divergence", Neural Computation 14, 2002. With labels among its visible units it is the top of a
//! deep belief network, [`Dbn`](crate::Dbn).

use taper_nn::taper_tensor::Distribution;
use taper_nn::{DType, Error, Gradients, Init, Param, Params, RandomKey, Result, Tensor};

/// Binary visible units v and hidden units h with the energy −vᵀa − hᵀb − hᵀWv. Its parameters are `weight: [hidden,
/// visible]` (W), `bias: [hidden]` (b) and `visible_bias: [visible]` (a). The first two are those of a linear layer, which
/// followed by a sigmoid gives the hidden units' probabilities.
///
/// A machine [with labels](Rbm::with_labels) has further visible units, one for each class, of which exactly one is on
/// (a softmax group). They come after the others: v is `[N, visible + classes]`. Their parameters are `label_weight:
/// [hidden, classes]` and `label_bias: [classes]`.
#[derive(Debug, Clone)]
pub struct Rbm {
    weight: Param,
    bias: Param,
    visible_bias: Param,
    labels: Option<Labels>,
}

/// The parameters of visible units that are labels.
#[derive(Debug, Clone)]
struct Labels {
    weight: Param,
    bias: Param,
}

impl Rbm {
    /// Creates the parameters in `params`: normal weights with a standard deviation of 0.01, and biases of 0 (Hinton, "A
    /// practical guide to training restricted Boltzmann machines", 2010, section 8).
    pub fn new(visible: usize, hidden: usize, params: &Params) -> Result<Self> {
        Ok(Self {
            weight: params.get("weight", [hidden, visible], Init::Normal { std: 0.01 })?,
            bias: params.get("bias", [hidden], Init::Zeros)?,
            visible_bias: params.get("visible_bias", [visible], Init::Zeros)?,
            labels: None,
        })
    }

    /// [`Rbm::new`] with `classes` further visible units for a label.
    pub fn with_labels(visible: usize, classes: usize, hidden: usize, params: &Params) -> Result<Self> {
        if classes == 0 {
            return Err(Error::argument("rbm", "labels: expected a class at least, found none"));
        }
        let labels = Labels {
            weight: params.get("label_weight", [hidden, classes], Init::Normal { std: 0.01 })?,
            bias: params.get("label_bias", [classes], Init::Zeros)?,
        };
        Ok(Self { labels: Some(labels), ..Self::new(visible, hidden, params)? })
    }

    /// W, `[hidden, visible]`.
    pub fn weight(&self) -> &Param {
        &self.weight
    }

    /// b, `[hidden]`.
    pub fn bias(&self) -> &Param {
        &self.bias
    }

    /// a, `[visible]`.
    pub fn visible_bias(&self) -> &Param {
        &self.visible_bias
    }

    /// The number of visible units, without labels.
    pub fn units(&self) -> usize {
        self.visible_bias.tensor().count()
    }

    /// The probabilities `[N, hidden]` that hidden units are on, given visible ones.
    pub fn hidden(&self, v: &Tensor) -> Result<Tensor> {
        v.linear(&self.all_weights()?, Some(&self.bias.tensor()))?.sigmoid()
    }

    /// The probabilities of visible units, given hidden ones `[N, hidden]`. Those of labels add up to 1.
    pub fn visible(&self, h: &Tensor) -> Result<Tensor> {
        let units = h.matmul(&self.weight.tensor())?.add(&self.visible_bias.tensor())?.sigmoid()?; // [N, visible]
        let Some(labels) = &self.labels else { return Ok(units) };
        let labels = h.matmul(&labels.weight.tensor())?.add(&labels.bias.tensor())?.softmax(1)?; // [N, classes]
        Tensor::concat(&[&units, &labels], 1)
    }

    /// Visible units drawn from their [probabilities](Self::visible) by the stream `key`.
    pub fn draw_visible(&self, h: &Tensor, key: RandomKey) -> Result<Tensor> {
        let p = self.visible(h)?;
        let Some(labels) = &self.labels else { return bernoulli(&p, key) };
        let (units, classes) = (self.units(), labels.bias.tensor().count());
        let drawn = bernoulli(&p.narrow(1, 0, units)?, key.child("units"))?; // [N, visible]
        // The first class whose cumulative probability is above a uniform number; the last where rounding leaves none.
        let uniform = Distribution::Uniform { low: 0.0, high: 1.0 };
        let u = Tensor::random(uniform, key.child("label"), [h.shape()[0], 1], p.dtype(), p.device())?;
        let below = p.narrow(1, units, classes - 1)?.cumsum(1)?.le(&u)?; // [N, classes − 1]
        let label = below.cast(DType::I64)?.sum(&[1], false)?.one_hot(classes)?.cast(p.dtype())?; // [N, classes]
        Tensor::concat(&[&drawn, &label], 1)
    }

    /// The free energy `[N]` of visible units: F(v) = −vᵀa − Σ log(1 + exp(b + Wv)). The probability of v is in proportion
    /// to exp(−F(v)).
    pub fn free_energy(&self, v: &Tensor) -> Result<Tensor> {
        let x = v.linear(&self.all_weights()?, Some(&self.bias.tensor()))?; // [N, hidden]
        v.mul(&self.all_visible_biases()?)?.sum(&[1], false)?.add(&softplus(&x)?.sum(&[1], false)?)?.neg()
    }

    /// Of each label its −F(v), `[N, classes]`, but for a term that is the same for all: logits of the class, given the
    /// other visible units `[N, visible]` (H. Larochelle and Y. Bengio, "Classification using discriminative restricted
    /// Boltzmann machines", ICML 2008, section 2).
    ///
    /// # Errors
    /// When the machine has no labels.
    pub fn label_scores(&self, units: &Tensor) -> Result<Tensor> {
        let labels = self.labels.as_ref().ok_or_else(|| Error::argument("rbm", "the machine has no labels"))?;
        let x = units.linear(&self.weight.tensor(), Some(&self.bias.tensor()))?.unsqueeze(2)?; // [N, hidden, 1]
        let each = softplus(&x.add(&labels.weight.tensor())?)?; //                                [N, hidden, classes]
        each.sum(&[1], false)?.add(&labels.bias.tensor()) //                                     [N, classes]
    }

    /// Adds to `gradients` those of the parameters, given those of all weights `[hidden, visible + classes]`, of the visible
    /// units' biases `[visible + classes]`, and of the hidden units' `[hidden]`.
    pub fn set_gradients(
        &self,
        gradients: &mut Gradients,
        weight: Tensor,
        visible: Tensor,
        hidden: Tensor,
    ) -> Result<()> {
        gradients.set_param(&self.bias, hidden);
        let Some(labels) = &self.labels else {
            gradients.set_param(&self.weight, weight);
            gradients.set_param(&self.visible_bias, visible);
            return Ok(());
        };
        let (units, classes) = (self.units(), labels.bias.tensor().count());
        gradients.set_param(&self.weight, weight.narrow(1, 0, units)?);
        gradients.set_param(&labels.weight, weight.narrow(1, units, classes)?);
        gradients.set_param(&self.visible_bias, visible.narrow(0, 0, units)?);
        gradients.set_param(&labels.bias, visible.narrow(0, units, classes)?);
        Ok(())
    }

    /// The weights of all visible units, `[hidden, visible + classes]`.
    fn all_weights(&self) -> Result<Tensor> {
        let weight = self.weight.tensor();
        self.labels.as_ref().map_or(Ok(weight.clone()), |labels| Tensor::concat(&[&weight, &labels.weight.tensor()], 1))
    }

    /// The biases of all visible units, `[visible + classes]`.
    fn all_visible_biases(&self) -> Result<Tensor> {
        let bias = self.visible_bias.tensor();
        self.labels.as_ref().map_or(Ok(bias.clone()), |labels| Tensor::concat(&[&bias, &labels.bias.tensor()], 0))
    }
}

/// log(1 + eˣ).
fn softplus(x: &Tensor) -> Result<Tensor> {
    x.activation(taper_nn::Activation::Softplus { beta: 1.0, threshold: 20.0 })
}

/// Units that are on with the probabilities `p`, drawn from the stream `key`.
pub fn bernoulli(p: &Tensor, key: RandomKey) -> Result<Tensor> {
    let uniform = Distribution::Uniform { low: 0.0, high: 1.0 };
    let drawn = Tensor::random(uniform, key, p.shape(), p.dtype(), p.device())?;
    drawn.lt(p)?.cast(p.dtype())
}
