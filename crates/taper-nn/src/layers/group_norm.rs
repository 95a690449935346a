//! Group normalisation (Wu and He, "Group normalization", ECCV 2018).

use super::{at, at_least_one};
use crate::gradcheck::layer;
use crate::{Context, Init, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Param, Result, Tensor};

/// The configuration of [`GroupNorm`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupNormConfig {
    /// The number of groups; it divides `num_channels`.
    pub num_groups: usize,
    /// Channels: the size of dim 1.
    pub num_channels: usize,
    /// ε, added to the variance.
    pub eps: f64,
    /// Whether the result is scaled by `weight` and shifted by `bias`.
    pub affine: bool,
}

impl GroupNormConfig {
    /// `num_groups` groups of `num_channels` channels, with ε = 1e-5, weight and bias.
    pub fn new(num_groups: usize, num_channels: usize) -> Self {
        Self { num_groups, num_channels, eps: 1e-5, affine: true }
    }

    /// Sets ε.
    pub fn eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }

    /// Sets whether there are weight and bias.
    pub fn affine(self, affine: bool) -> Self {
        Self { affine, ..self }
    }
}

/// Group norm of `[N, C, …]`: (x − mean) / √(variance + ε) · weight + bias, with the mean and the biased variance over the
/// channels of a group and all positions of one sample, and `weight` and `bias` `[C]`. One group is a layer norm over all
/// but the batch, with a weight for each channel.
#[derive(Debug, Clone)]
pub struct GroupNorm {
    path: String,
    config: GroupNormConfig,
    weight: Option<Param>,
    bias: Option<Param>,
}

impl GroupNorm {
    /// Creates `weight` (ones) and `bias` (zeros) in `params`. An error when a number is 0, or the groups do not divide
    /// the channels.
    pub fn new(config: GroupNormConfig, params: &Params) -> Result<Self> {
        const OP: &str = "group_norm";
        let GroupNormConfig { num_groups, num_channels, affine, .. } = config;
        let path = params.path();
        at_least_one(OP, path, &[("num_groups", num_groups), ("num_channels", num_channels)])?;
        if !num_channels.is_multiple_of(num_groups) {
            let detail = format!("num_groups {num_groups} must divide the {num_channels} channels");
            return at(path, Err(Error::argument(OP, detail)));
        }
        Ok(Self {
            path: path.to_owned(),
            config,
            weight: affine.then(|| params.get("weight", [num_channels], Init::Ones)).transpose()?,
            bias: affine.then(|| params.get("bias", [num_channels], Init::Zeros)).transpose()?,
        })
    }
}

impl Module for GroupNorm {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let GroupNormConfig { num_groups, num_channels, eps, .. } = self.config;
            if x.shape().rank() < 2 || x.shape()[1] != num_channels {
                let detail =
                    format!("expected [N, C, …] with C = {num_channels} (dim 1), the input came as {}", x.shape());
                return Err(Error::shape("group_norm", detail));
            }
            let (weight, bias) = (self.weight.as_ref().map(Param::tensor), self.bias.as_ref().map(Param::tensor));
            let x = weight.as_ref().map_or(Ok(x.clone()), |weight| context.in_param_dtype(x, weight.dtype()))?;
            x.group_norm(num_groups, weight.as_ref(), bias.as_ref(), eps)
        })
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        layer("two groups", |params| GroupNorm::new(GroupNormConfig::new(2, 4), params))
            .input([2, 4, 2, 2])
            .input([4])
            .input([4]),
        layer("without weight and bias", |params| {
            GroupNorm::new(GroupNormConfig::new(1, 3).eps(1e-2).affine(false), params)
        })
        .input([2, 3, 3]),
    ]
}
