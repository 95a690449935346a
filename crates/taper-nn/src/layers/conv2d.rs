//! 2-D convolution.

use super::{Pair, at_least_one, groups_divide};
use crate::gradcheck::layer;
use crate::{Context, Init, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Conv2dSpec, Param, Result, Tensor};

/// The configuration of [`Conv2d`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conv2dConfig {
    /// Channels of the input; a multiple of `groups`.
    pub in_channels: usize,
    /// Channels of the output; a multiple of `groups`.
    pub out_channels: usize,
    /// The kernel's height and width.
    pub kernel_size: [usize; 2],
    /// Stride, padding, dilation, groups.
    pub spec: Conv2dSpec,
    /// Whether a bias is added.
    pub bias: bool,
    /// The initialisation of the weight.
    pub init: Init,
    /// The initialisation of the bias; `None` for PyTorch's default, uniform over ±1/√fan_in.
    pub bias_init: Option<Init>,
    /// Whether the weight is trained; otherwise it is a buffer.
    pub train_weight: bool,
}

impl Conv2dConfig {
    /// From `in_channels` to `out_channels`: stride 1, no padding, with a bias and PyTorch's initialisation.
    pub fn new(in_channels: usize, out_channels: usize, kernel_size: impl Into<Pair>) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel_size: kernel_size.into().0,
            spec: Conv2dSpec::default(),
            bias: true,
            init: Init::layer_weight(),
            bias_init: None,
            train_weight: true,
        }
    }

    /// Sets the stride, down and across.
    pub fn stride(mut self, stride: impl Into<Pair>) -> Self {
        self.spec.stride = stride.into().0;
        self
    }

    /// Sets the padding: zeros on both sides.
    pub fn padding(mut self, padding: impl Into<Pair>) -> Self {
        self.spec.padding = padding.into().0;
        self
    }

    /// Sets the dilation: the distance between a kernel's elements.
    pub fn dilation(mut self, dilation: impl Into<Pair>) -> Self {
        self.spec.dilation = dilation.into().0;
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

    /// Sets the initialisation of the bias.
    pub fn bias_init(self, bias_init: Init) -> Self {
        Self { bias_init: Some(bias_init), ..self }
    }

    /// Sets whether the weight is trained; otherwise it is a buffer.
    pub fn train_weight(self, train_weight: bool) -> Self {
        Self { train_weight, ..self }
    }
}

/// Maps `[N, C_in, H, W]` to `[N, C_out, H_out, W_out]` with `weight: [C_out, C_in / groups, Kh, Kw]` and
/// `bias: [C_out]`.
///
/// H_out = ⌊(H + 2 · padding − dilation · (Kh − 1) − 1) / stride⌋ + 1, and W_out likewise.
#[derive(Debug, Clone)]
pub struct Conv2d {
    path: String,
    spec: Conv2dSpec,
    weight: Param,
    bias: Option<Param>,
}

impl Conv2d {
    /// Creates `weight` and `bias` in `params`. An error when a size is 0, or `groups` does not divide both numbers of
    /// channels.
    pub fn new(config: Conv2dConfig, params: &Params) -> Result<Self> {
        const OP: &str = "conv2d";
        let Conv2dConfig { in_channels, out_channels, kernel_size: [down, across], spec, bias, .. } = config;
        let Conv2dConfig { init, bias_init, train_weight, .. } = config;
        let path = params.path();
        let sizes = [
            ("in_channels", in_channels),
            ("out_channels", out_channels),
            ("kernel_size", down.min(across)),
            ("stride", spec.stride[0].min(spec.stride[1])),
            ("dilation", spec.dilation[0].min(spec.dilation[1])),
            ("groups", spec.groups),
        ];
        at_least_one(OP, path, &sizes)?;
        let groups = spec.groups;
        groups_divide(OP, path, groups, [in_channels, out_channels])?;
        let shape = [out_channels, in_channels / groups, down, across];
        let weight = match train_weight {
            true => params.get("weight", shape, init),
            false => params.frozen("weight", shape, init),
        }?;
        // The weight exists: its size is known to fit in a usize.
        let bias_init = bias_init.unwrap_or_else(|| Init::layer_bias(in_channels / groups * down * across));
        Ok(Self {
            path: path.to_owned(),
            spec,
            weight,
            bias: bias.then(|| params.get("bias", [out_channels], bias_init)).transpose()?,
        })
    }

    /// The weight, `[C_out, C_in / groups, Kh, Kw]`.
    pub fn weight(&self) -> &Param {
        &self.weight
    }

    /// The bias, `[C_out]`, if there is one.
    pub fn bias(&self) -> Option<&Param> {
        self.bias.as_ref()
    }
}

impl Module for Conv2d {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let (x, weight, bias) = context.operands(x, &self.weight, self.bias.as_ref())?;
            x.conv2d(&weight, bias.as_ref(), self.spec)
        })
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        layer("1 × 1", |params| Conv2d::new(Conv2dConfig::new(3, 2, 1), params))
            .input([2, 3, 2, 2])
            .input([2, 3, 1, 1])
            .input([2]),
        layer("stride, padding, dilation, no bias", |params| {
            let config = Conv2dConfig::new(2, 3, [3, 2]).stride([2, 1]).padding([1, 2]).dilation([1, 2]);
            Conv2d::new(config.bias(false), params)
        })
        .input([1, 2, 5, 4])
        .input([3, 2, 3, 2]),
        layer("groups", |params| Conv2d::new(Conv2dConfig::new(4, 6, 3).padding(1).groups(2), params))
            .input([1, 4, 3, 3])
            .input([6, 2, 3, 3])
            .input([6]),
    ]
}
