//! Root mean square layer normalisation (Zhang and Sennrich, NeurIPS 2019).

use super::at;
use crate::gradcheck::layer;
use crate::{Context, Init, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Param, Result, Shape, Tensor};

/// The configuration of [`RmsNorm`].
#[derive(Debug, Clone, PartialEq)]
pub struct RmsNormConfig {
    /// The last dimensions of the input, which are normalised together.
    pub normalized_shape: Shape,
    /// ε, added to the mean square, at least 0; `None` for the machine epsilon of the dtype, as in PyTorch.
    pub eps: Option<f64>,
    /// Whether the result is scaled by `weight`.
    pub affine: bool,
}

impl RmsNormConfig {
    /// Over last dimensions of these sizes, with the dtype's ε and a weight.
    pub fn new(normalized_shape: impl Into<Shape>) -> Self {
        Self { normalized_shape: normalized_shape.into(), eps: None, affine: true }
    }

    /// Sets ε.
    pub fn eps(self, eps: impl Into<Option<f64>>) -> Self {
        Self { eps: eps.into(), ..self }
    }

    /// Sets whether there is a weight.
    pub fn affine(self, affine: bool) -> Self {
        Self { affine, ..self }
    }
}

/// x / √(mean(x²) + ε) · weight, with the mean over the last dimensions: a layer norm that neither centres nor shifts.
#[derive(Debug, Clone)]
pub struct RmsNorm {
    path: String,
    shape: Shape,
    eps: Option<f64>,
    weight: Option<Param>,
}

impl RmsNorm {
    /// Creates `weight` (ones) in `params`. An error when the normalised shape is empty or holds a 0.
    pub fn new(config: RmsNormConfig, params: &Params) -> Result<Self> {
        let RmsNormConfig { normalized_shape: shape, eps, affine } = config;
        if shape.rank() == 0 || shape.contains(&0) {
            let detail = format!("normalized_shape must have dimensions of at least 1, came as {shape}");
            return at(params.path(), Err(Error::argument("rms_norm", detail)));
        }
        let weight = affine.then(|| params.get("weight", &shape, Init::Ones)).transpose()?;
        Ok(Self { path: params.path().to_owned(), shape, eps, weight })
    }
}

impl Module for RmsNorm {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            if !x.shape().ends_with(&self.shape) {
                let detail = format!("the input's last dimensions must be {}, it came as {}", self.shape, x.shape());
                return Err(Error::shape("rms_norm", detail));
            }
            let weight = self.weight.as_ref().map(Param::tensor);
            let x = weight.as_ref().map_or(Ok(x.clone()), |weight| context.in_param_dtype(x, weight.dtype()))?;
            x.rms_norm(self.shape.rank(), weight.as_ref(), self.eps)
        })
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        layer("rows", |params| RmsNorm::new(RmsNormConfig::new([5]), params)).input([3, 5]).input([5]),
        layer("the last two dimensions, no weight", |params| {
            RmsNorm::new(RmsNormConfig::new([2, 3]).eps(1e-2).affine(false), params)
        })
        .input([2, 2, 3]),
    ]
}
