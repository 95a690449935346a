//! 1-D convolution, of sequences and signals.

use super::{at_least_one, groups_divide};
use crate::gradcheck::layer;
use crate::{Context, Init, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Conv1dSpec, Param, Result, Tensor};

/// The configuration of [`Conv1d`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conv1dConfig {
    /// Channels of the input; a multiple of `groups`.
    pub in_channels: usize,
    /// Channels of the output; a multiple of `groups`.
    pub out_channels: usize,
    /// The kernel's length.
    pub kernel_size: usize,
    /// Stride, padding, dilation, groups.
    pub spec: Conv1dSpec,
    /// Whether a bias is added.
    pub bias: bool,
    /// The initialisation of the weight.
    pub init: Init,
}

impl Conv1dConfig {
    /// From `in_channels` to `out_channels`: stride 1, no padding, with a bias and PyTorch's initialisation.
    pub fn new(in_channels: usize, out_channels: usize, kernel_size: usize) -> Self {
        let (spec, init) = (Conv1dSpec::default(), Init::layer_weight());
        Self { in_channels, out_channels, kernel_size, spec, bias: true, init }
    }

    /// Sets the stride.
    pub fn stride(mut self, stride: usize) -> Self {
        self.spec.stride = stride;
        self
    }

    /// Sets the padding: zeros at both ends.
    pub fn padding(mut self, padding: usize) -> Self {
        self.spec.padding = padding;
        self
    }

    /// Sets the dilation: the distance between a kernel's elements.
    pub fn dilation(mut self, dilation: usize) -> Self {
        self.spec.dilation = dilation;
        self
    }

    /// Sets the number of independent groups of channels; `in_channels` for a depthwise convolution.
    pub fn groups(mut self, groups: usize) -> Self {
        self.spec.groups = groups;
        self
    }

    /// Sets whether there is a bias.
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }

    /// Sets the initialisation of the weight.
    pub fn init(self, init: Init) -> Self {
        Self { init, ..self }
    }
}

/// Maps `[N, C_in, L]` to `[N, C_out, L_out]` with `weight: [C_out, C_in / groups, K]` and `bias: [C_out]`.
///
/// L_out = ⌊(L + 2 · padding − dilation · (K − 1) − 1) / stride⌋ + 1.
#[derive(Debug, Clone)]
pub struct Conv1d {
    path: String,
    spec: Conv1dSpec,
    weight: Param,
    bias: Option<Param>,
}

impl Conv1d {
    /// Creates `weight` and `bias` in `params`. An error when a size is 0, or `groups` does not divide both numbers of
    /// channels.
    pub fn new(config: Conv1dConfig, params: &Params) -> Result<Self> {
        const OP: &str = "conv1d";
        let Conv1dConfig { in_channels, out_channels, kernel_size, spec, bias, init } = config;
        let path = params.path();
        let sizes = [
            ("in_channels", in_channels),
            ("out_channels", out_channels),
            ("kernel_size", kernel_size),
            ("stride", spec.stride),
            ("dilation", spec.dilation),
            ("groups", spec.groups),
        ];
        at_least_one(OP, path, &sizes)?;
        let groups = spec.groups;
        groups_divide(OP, path, groups, [in_channels, out_channels])?;
        let weight = params.get("weight", [out_channels, in_channels / groups, kernel_size], init)?;
        // The weight exists: its size is known to fit in a usize.
        let fan_in = in_channels / groups * kernel_size;
        let bias = bias.then(|| params.get("bias", [out_channels], Init::layer_bias(fan_in))).transpose()?;
        Ok(Self { path: path.to_owned(), spec, weight, bias })
    }

    /// The weight, `[C_out, C_in / groups, K]`.
    pub fn weight(&self) -> &Param {
        &self.weight
    }

    /// The bias, `[C_out]`, if there is one.
    pub fn bias(&self) -> Option<&Param> {
        self.bias.as_ref()
    }
}

impl Module for Conv1d {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let (x, weight, bias) = context.operands(x, &self.weight, self.bias.as_ref())?;
            x.conv1d(&weight, bias.as_ref(), self.spec)
        })
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        layer("stride, padding, dilation", |params| {
            Conv1d::new(Conv1dConfig::new(2, 3, 3).stride(2).padding(2).dilation(2), params)
        })
        .input([2, 2, 6])
        .input([3, 2, 3])
        .input([3]),
        layer("groups, no bias", |params| Conv1d::new(Conv1dConfig::new(4, 6, 2).groups(2).bias(false), params))
            .input([1, 4, 4])
            .input([6, 2, 2]),
    ]
}
