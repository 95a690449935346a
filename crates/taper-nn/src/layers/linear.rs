//! The linear (fully connected) layer, y = x Wᵀ + b.

use super::at_least_one;
use crate::gradcheck::layer;
use crate::{Context, Init, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Param, Result, Tensor};

/// The configuration of [`Linear`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LinearConfig {
    /// The size of the input's last dimension.
    pub in_features: usize,
    /// The size of the output's last dimension.
    pub out_features: usize,
    /// Whether a bias is added.
    pub bias: bool,
    /// The initialisation of the weight.
    pub init: Init,
    /// The initialisation of the bias; `None` for PyTorch's, uniform over ±1/√in_features.
    pub bias_init: Option<Init>,
}

impl LinearConfig {
    /// From `in_features` to `out_features`, with a bias and PyTorch's initialisation.
    pub fn new(in_features: usize, out_features: usize) -> Self {
        Self { in_features, out_features, bias: true, init: Init::layer_weight(), bias_init: None }
    }

    /// Sets whether there is a bias.
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }

    /// Sets the initialisation of the weight.
    pub fn init(self, init: Init) -> Self {
        Self { init, ..self }
    }

    /// Sets the initialisation of the bias.
    pub fn bias_init(self, init: Init) -> Self {
        Self { bias_init: Some(init), ..self }
    }
}

/// Maps `[…, in]` to `[…, out]`: x Wᵀ + b with `weight: [out, in]` and `bias: [out]`.
#[derive(Debug, Clone)]
pub struct Linear {
    path: String,
    weight: Param,
    bias: Option<Param>,
}

impl Linear {
    /// Creates `weight` and `bias` in `params`. An error when a size is 0.
    pub fn new(config: LinearConfig, params: &Params) -> Result<Self> {
        let LinearConfig { in_features, out_features, bias, init, bias_init } = config;
        let bias_init = bias_init.unwrap_or_else(|| Init::layer_bias(in_features));
        let sizes = [("in_features", in_features), ("out_features", out_features)];
        at_least_one("linear", params.path(), &sizes)?;
        Ok(Self {
            path: params.path().to_owned(),
            weight: params.get("weight", [out_features, in_features], init)?,
            bias: bias.then(|| params.get("bias", [out_features], bias_init)).transpose()?,
        })
    }

    /// The weight, `[out, in]`.
    pub fn weight(&self) -> &Param {
        &self.weight
    }

    /// The bias, `[out]`, if there is one.
    pub fn bias(&self) -> Option<&Param> {
        self.bias.as_ref()
    }
}

impl Module for Linear {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let (x, weight, bias) = context.operands(x, &self.weight, self.bias.as_ref())?;
            x.linear(&weight, bias.as_ref())
        })
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        layer("rows", |params| Linear::new(LinearConfig::new(4, 3), params)).input([2, 4]).input([3, 4]).input([3]),
        layer("sequences, no bias", |params| Linear::new(LinearConfig::new(3, 2).bias(false), params))
            .input([2, 3, 3])
            .input([2, 3]),
    ]
}
