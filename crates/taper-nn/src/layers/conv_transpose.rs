//! Transposed convolution, 1-D and 2-D (Zeiler et al., "Deconvolutional networks", CVPR 2010; Dumoulin and Visin, "A guide
//! to convolution arithmetic for deep learning", 2016, section 4): each element of the input adds its multiple of the
//! kernel to the output, so that a stride enlarges.

use super::{Pair, at, at_least_one, groups_divide};
use crate::gradcheck::layer;
use crate::{Context, Init, Module, Params};
use taper_tensor::gradcheck::Case;
use taper_tensor::{ConvTranspose1dSpec, ConvTranspose2dSpec, Error, Param, Result, Tensor};

/// The configuration of [`ConvTranspose2d`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConvTranspose2dConfig {
    /// Channels of the input; a multiple of `groups`.
    pub in_channels: usize,
    /// Channels of the output; a multiple of `groups`.
    pub out_channels: usize,
    /// The kernel's height and width.
    pub kernel_size: [usize; 2],
    /// Stride, padding, output padding, dilation, groups.
    pub spec: ConvTranspose2dSpec,
    /// Whether a bias is added.
    pub bias: bool,
    /// The initialisation of the weight.
    pub init: Init,
}

impl ConvTranspose2dConfig {
    /// From `in_channels` to `out_channels`: stride 1, no padding, with a bias and PyTorch's initialisation.
    pub fn new(in_channels: usize, out_channels: usize, kernel_size: impl Into<Pair>) -> Self {
        let (spec, init) = (ConvTranspose2dSpec::default(), Init::layer_weight());
        Self { in_channels, out_channels, kernel_size: kernel_size.into().0, spec, bias: true, init }
    }

    /// Sets the stride, down and across: how many times larger the output is, about.
    pub fn stride(mut self, stride: impl Into<Pair>) -> Self {
        self.spec.stride = stride.into().0;
        self
    }

    /// Sets the padding: how much is taken away on each side of the output.
    pub fn padding(mut self, padding: impl Into<Pair>) -> Self {
        self.spec.padding = padding.into().0;
        self
    }

    /// Sets how much larger the output is, below and on the right; less than the stride or the dilation.
    pub fn output_padding(mut self, output_padding: impl Into<Pair>) -> Self {
        self.spec.output_padding = output_padding.into().0;
        self
    }

    /// Sets the dilation: the distance between a kernel's elements.
    pub fn dilation(mut self, dilation: impl Into<Pair>) -> Self {
        self.spec.dilation = dilation.into().0;
        self
    }

    /// Sets the number of independent groups of channels.
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

/// Maps `[N, C_in, H, W]` to `[N, C_out, H_out, W_out]` with `weight: [C_in, C_out / groups, Kh, Kw]` and
/// `bias: [C_out]`.
///
/// H_out = (H − 1) · stride − 2 · padding + dilation · (Kh − 1) + output_padding + 1, and W_out likewise.
#[derive(Debug, Clone)]
pub struct ConvTranspose2d {
    path: String,
    spec: ConvTranspose2dSpec,
    weight: Param,
    bias: Option<Param>,
}

impl ConvTranspose2d {
    /// Creates `weight` and `bias` in `params`. An error when a size is 0, `groups` does not divide both numbers of
    /// channels, or the output padding is too large.
    pub fn new(config: ConvTranspose2dConfig, params: &Params) -> Result<Self> {
        let ConvTranspose2dConfig { in_channels, out_channels, kernel_size, spec, bias, init } = config;
        let ConvTranspose2dSpec { stride, output_padding, dilation, groups, .. } = spec;
        let axes: [_; 2] = std::array::from_fn(|i| (kernel_size[i], stride[i], dilation[i], output_padding[i]));
        let (weight, bias) =
            create("conv_transpose2d", [in_channels, out_channels], &axes, groups, bias, init, params)?;
        Ok(Self { path: params.path().to_owned(), spec, weight, bias })
    }

    /// The weight, `[C_in, C_out / groups, Kh, Kw]`.
    pub fn weight(&self) -> &Param {
        &self.weight
    }

    /// The bias, `[C_out]`, if there is one.
    pub fn bias(&self) -> Option<&Param> {
        self.bias.as_ref()
    }
}

impl Module for ConvTranspose2d {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let (x, weight, bias) = context.operands(x, &self.weight, self.bias.as_ref())?;
            x.conv_transpose2d(&weight, bias.as_ref(), self.spec)
        })
    }
}

/// The configuration of [`ConvTranspose1d`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConvTranspose1dConfig {
    /// Channels of the input; a multiple of `groups`.
    pub in_channels: usize,
    /// Channels of the output; a multiple of `groups`.
    pub out_channels: usize,
    /// The kernel's length.
    pub kernel_size: usize,
    /// Stride, padding, output padding, dilation, groups.
    pub spec: ConvTranspose1dSpec,
    /// Whether a bias is added.
    pub bias: bool,
    /// The initialisation of the weight.
    pub init: Init,
}

impl ConvTranspose1dConfig {
    /// From `in_channels` to `out_channels`: stride 1, no padding, with a bias and PyTorch's initialisation.
    pub fn new(in_channels: usize, out_channels: usize, kernel_size: usize) -> Self {
        let (spec, init) = (ConvTranspose1dSpec::default(), Init::layer_weight());
        Self { in_channels, out_channels, kernel_size, spec, bias: true, init }
    }

    /// Sets the stride: how many times longer the output is, about.
    pub fn stride(mut self, stride: usize) -> Self {
        self.spec.stride = stride;
        self
    }

    /// Sets the padding: how much is taken away at each end of the output.
    pub fn padding(mut self, padding: usize) -> Self {
        self.spec.padding = padding;
        self
    }

    /// Sets how much longer the output is at its end; less than the stride or the dilation.
    pub fn output_padding(mut self, output_padding: usize) -> Self {
        self.spec.output_padding = output_padding;
        self
    }

    /// Sets the dilation: the distance between a kernel's elements.
    pub fn dilation(mut self, dilation: usize) -> Self {
        self.spec.dilation = dilation;
        self
    }

    /// Sets the number of independent groups of channels.
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

/// Maps `[N, C_in, L]` to `[N, C_out, L_out]` with `weight: [C_in, C_out / groups, K]` and `bias: [C_out]`.
///
/// L_out = (L − 1) · stride − 2 · padding + dilation · (K − 1) + output_padding + 1.
#[derive(Debug, Clone)]
pub struct ConvTranspose1d {
    path: String,
    spec: ConvTranspose1dSpec,
    weight: Param,
    bias: Option<Param>,
}

impl ConvTranspose1d {
    /// Creates `weight` and `bias` in `params`. Errors are those of [`ConvTranspose2d::new`].
    pub fn new(config: ConvTranspose1dConfig, params: &Params) -> Result<Self> {
        let ConvTranspose1dConfig { in_channels, out_channels, kernel_size, spec, bias, init } = config;
        let axes = [(kernel_size, spec.stride, spec.dilation, spec.output_padding)];
        let channels = [in_channels, out_channels];
        let (weight, bias) = create("conv_transpose1d", channels, &axes, spec.groups, bias, init, params)?;
        Ok(Self { path: params.path().to_owned(), spec, weight, bias })
    }

    /// The weight, `[C_in, C_out / groups, K]`.
    pub fn weight(&self) -> &Param {
        &self.weight
    }

    /// The bias, `[C_out]`, if there is one.
    pub fn bias(&self) -> Option<&Param> {
        self.bias.as_ref()
    }
}

impl Module for ConvTranspose1d {
    fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
        context.layer(&self.path, |context| {
            let (x, weight, bias) = context.operands(x, &self.weight, self.bias.as_ref())?;
            x.conv_transpose1d(&weight, bias.as_ref(), self.spec)
        })
    }
}

/// Weight and bias, after the checks; `axes` are kernel size, stride, dilation and output padding along each.
fn create(
    op: &'static str,
    [inputs, outputs]: [usize; 2],
    axes: &[(usize, usize, usize, usize)],
    groups: usize,
    bias: bool,
    init: Init,
    params: &Params,
) -> Result<(Param, Option<Param>)> {
    let path = params.path();
    at_least_one(op, path, &[("in_channels", inputs), ("out_channels", outputs), ("groups", groups)])?;
    for &(kernel, stride, dilation, output_padding) in axes {
        at_least_one(op, path, &[("kernel_size", kernel), ("stride", stride), ("dilation", dilation)])?;
        if output_padding >= stride.max(dilation) {
            let detail =
                format!("output_padding {output_padding} must be less than stride {stride} or dilation {dilation}");
            return at(path, Err(Error::argument(op, detail)));
        }
    }
    groups_divide(op, path, groups, [inputs, outputs])?;
    let kernel: Vec<usize> = axes.iter().map(|axis| axis.0).collect();
    let weight = params.get("weight", [&[inputs, outputs / groups][..], &kernel].concat(), init)?;
    // PyTorch's fan_in is that of the weight as it stands: dim 1 times the kernel. It is known to fit in a usize.
    let fan_in = outputs / groups * kernel.iter().product::<usize>();
    let bias = bias.then(|| params.get("bias", [outputs], Init::layer_bias(fan_in))).transpose()?;
    Ok((weight, bias))
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        layer("enlarging", |params| {
            let config = ConvTranspose2dConfig::new(2, 3, [3, 2]).stride([2, 1]).padding([1, 0]).output_padding([1, 0]);
            ConvTranspose2d::new(config, params)
        })
        .input([2, 2, 2, 3])
        .input([2, 3, 3, 2])
        .input([3]),
        layer("groups, dilation, no bias", |params| {
            let config = ConvTranspose2dConfig::new(4, 6, 2).dilation(2).groups(2).bias(false);
            ConvTranspose2d::new(config, params)
        })
        .input([1, 4, 2, 2])
        .input([4, 3, 2, 2]),
        layer("a row", |params| {
            let config = ConvTranspose1dConfig::new(4, 2, 3).stride(2).padding(1).output_padding(1).groups(2);
            ConvTranspose1d::new(config, params)
        })
        .input([2, 4, 3])
        .input([4, 1, 3])
        .input([2]),
    ]
}
