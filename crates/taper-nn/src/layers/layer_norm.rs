//! Layer normalisation (Ba, Kiros and Hinton, 2016).

use super::at;
use crate::gradcheck::layer;
use crate::{Context, Init, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Param, Result, Shape, Tensor};

/// The configuration of [`LayerNorm`].
#[derive(Debug, Clone, PartialEq)]
pub struct LayerNormConfig {
    /// The last dimensions of the input, which are normalised together.
    pub normalized_shape: Shape,
    /// ε, added to the variance.
    pub eps: f64,
    /// Whether the result is scaled by `weight` and shifted by `bias`.
    pub affine: bool,
}

impl LayerNormConfig {
    /// Over last dimensions of these sizes, with ε = 1e-5, weight and bias.
    pub fn new(normalized_shape: impl Into<Shape>) -> Self {
        Self { normalized_shape: normalized_shape.into(), eps: 1e-5, affine: true }
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

/// (x − mean) / √(variance + ε) · weight + bias, with the mean and the biased variance over the last dimensions.
#[derive(Debug, Clone)]
pub struct LayerNorm {
    path: String,
    shape: Shape,
    eps: f64,
    weight: Option<Param>,
    bias: Option<Param>,
}

impl LayerNorm {
    /// Creates `weight` (ones) and `bias` (zeros) in `params`. An error when the normalised shape is empty or holds a
    /// 0.
    pub fn new(config: LayerNormConfig, params: &Params) -> Result<Self> {
        let LayerNormConfig { normalized_shape: shape, eps, affine } = config;
        if shape.rank() == 0 || shape.contains(&0) {
            let detail = format!("normalized_shape must have dimensions of at least 1, came as {shape}");
            return at(params.path(), Err(Error::argument("layer_norm", detail)));
        }
        Ok(Self {
            path: params.path().to_owned(),
            weight: affine.then(|| params.get("weight", &shape, Init::Ones)).transpose()?,
            bias: affine.then(|| params.get("bias", &shape, Init::Zeros)).transpose()?,
            shape,
            eps,
        })
    }
}

impl Module for LayerNorm {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            if !x.shape().ends_with(&self.shape) {
                let detail = format!("the input's last dimensions must be {}, it came as {}", self.shape, x.shape());
                return Err(Error::shape("layer_norm", detail));
            }
            let (weight, bias) = (self.weight.as_ref().map(Param::tensor), self.bias.as_ref().map(Param::tensor));
            let x = weight.as_ref().map_or(Ok(x.clone()), |weight| context.in_param_dtype(x, weight.dtype()))?;
            x.layer_norm(self.shape.rank(), weight.as_ref(), bias.as_ref(), self.eps)
        })
    }
}

pub(super) fn cases() -> Vec<Case> {
    let with = |shape: &'static [usize]| LayerNormConfig::new(shape);
    vec![
        layer("rows", move |params| LayerNorm::new(with(&[5]), params)).input([3, 5]).input([5]).input([5]),
        layer("the last two dimensions", move |params| LayerNorm::new(with(&[3, 4]).eps(1e-2), params))
            .input([2, 3, 4])
            .input([3, 4])
            .input([3, 4]),
        layer("without weight and bias", move |params| LayerNorm::new(with(&[4]).affine(false), params)).input([2, 4]),
    ]
}
