//! The restricted Boltzmann machine: P. Smolensky, 1986; trained as in G. E. Hinton, "Training products of experts by
//! minimizing contrastive divergence", Neural Computation 14, 2002.

use taper_nn::taper_tensor::Distribution;
use taper_nn::{Init, Param, Params, RandomKey, Result, Tensor};

/// Binary visible units v and hidden units h with the energy −vᵀa − hᵀb − hᵀWv. Its parameters are `weight: [hidden,
/// visible]` (W), `visible_bias: [visible]` (a) and `hidden_bias: [hidden]` (b).
#[derive(Debug, Clone)]
pub struct Rbm {
    weight: Param,
    visible_bias: Param,
    hidden_bias: Param,
}

impl Rbm {
    /// Creates the parameters in `params`: normal weights with a standard deviation of 0.01, and biases of 0 (Hinton, "A
    /// practical guide to training restricted Boltzmann machines", 2010, section 8).
    pub fn new(visible: usize, hidden: usize, params: &Params) -> Result<Self> {
        Ok(Self {
            weight: params.get("weight", [hidden, visible], Init::Normal { std: 0.01 })?,
            visible_bias: params.get("visible_bias", [visible], Init::Zeros)?,
            hidden_bias: params.get("hidden_bias", [hidden], Init::Zeros)?,
        })
    }

    /// W, `[hidden, visible]`.
    pub fn weight(&self) -> &Param {
        &self.weight
    }

    /// a, `[visible]`.
    pub fn visible_bias(&self) -> &Param {
        &self.visible_bias
    }

    /// b, `[hidden]`.
    pub fn hidden_bias(&self) -> &Param {
        &self.hidden_bias
    }

    /// The probabilities `[N, hidden]` that hidden units are on, given visible ones `[N, visible]`.
    pub fn hidden(&self, v: &Tensor) -> Result<Tensor> {
        v.linear(&self.weight.tensor(), Some(&self.hidden_bias.tensor()))?.sigmoid()
    }

    /// The probabilities `[N, visible]` that visible units are on, given hidden ones `[N, hidden]`.
    pub fn visible(&self, h: &Tensor) -> Result<Tensor> {
        h.matmul(&self.weight.tensor())?.add(&self.visible_bias.tensor())?.sigmoid()
    }

    /// The free energy `[N]` of visible units `[N, visible]`: F(v) = −vᵀa − Σ log(1 + exp(b + Wv)). The probability of v is
    /// in proportion to exp(−F(v)).
    pub fn free_energy(&self, v: &Tensor) -> Result<Tensor> {
        let x = v.linear(&self.weight.tensor(), Some(&self.hidden_bias.tensor()))?; // [N, hidden]
        let softplus = x.activation(taper_nn::Activation::Softplus { beta: 1.0, threshold: 20.0 })?.sum(&[1], false)?; // [N]
        v.mul(&self.visible_bias.tensor())?.sum(&[1], false)?.add(&softplus)?.neg()
    }
}

/// Units that are on with the probabilities `p`, drawn from the stream `key`.
pub fn bernoulli(p: &Tensor, key: RandomKey) -> Result<Tensor> {
    let uniform = Distribution::Uniform { low: 0.0, high: 1.0 };
    let drawn = Tensor::random(uniform, key, p.shape(), p.dtype(), p.device())?;
    drawn.lt(p)?.cast(p.dtype())
}
