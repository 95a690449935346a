//! Transposed convolution: the input's gradient of a convolution as a forward, so that its own gradients are that
//! convolution and its weight's gradient.

use super::conv1d::row;
use super::conv2d::input_grad;
use super::shorthand::{all_f32, in_f32, is_half};
use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::{Conv2dSpec, Error, PadAmount, Result, Shape};

/// The parameters of a 2-D transposed convolution, as in PyTorch. Pairs are `[height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConvTranspose2dSpec {
    /// The distance in the output from one window to the next; at least 1.
    pub stride: [usize; 2],
    /// How much is taken away on each side of the output.
    pub padding: [usize; 2],
    /// How much larger the output is, below and on the right; less than the stride or the dilation.
    pub output_padding: [usize; 2],
    /// The distance between a kernel's elements; at least 1.
    pub dilation: [usize; 2],
    /// The number of independent groups that the channels are split into.
    pub groups: usize,
}

impl Default for ConvTranspose2dSpec {
    fn default() -> Self {
        Self { stride: [1, 1], padding: [0, 0], output_padding: [0, 0], dilation: [1, 1], groups: 1 }
    }
}

/// The parameters of a 1-D transposed convolution, see [`ConvTranspose2dSpec`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConvTranspose1dSpec {
    /// The distance in the output from one window to the next; at least 1.
    pub stride: usize,
    /// How much is taken away on each side of the output.
    pub padding: usize,
    /// How much larger the output is at its end; less than the stride or the dilation.
    pub output_padding: usize,
    /// The distance between a kernel's elements; at least 1.
    pub dilation: usize,
    /// The number of independent groups that the channels are split into.
    pub groups: usize,
}

impl Default for ConvTranspose1dSpec {
    fn default() -> Self {
        Self { stride: 1, padding: 0, output_padding: 0, dilation: 1, groups: 1 }
    }
}

impl Tensor {
    /// The transposed convolution of `[N, C_in, H, W]` with `weight: [C_in, C_out / groups, Kh, Kw]`, plus
    /// `bias: [C_out]`: `[N, C_out, H_out, W_out]` with
    /// `H_out = (H − 1) stride − 2 padding + dilation (Kh − 1) + output_padding + 1`.
    pub fn conv_transpose2d(
        &self,
        weight: &Tensor,
        bias: Option<&Tensor>,
        spec: ConvTranspose2dSpec,
    ) -> Result<Tensor> {
        const OP: &str = "conv_transpose2d";
        transposed(OP, self, weight, bias, spec)
    }

    /// The transposed convolution of `[N, C_in, L]` with `weight: [C_in, C_out / groups, K]`, plus `bias: [C_out]`:
    /// `[N, C_out, L_out]`, as [`Tensor::conv_transpose2d`] of one row.
    pub fn conv_transpose1d(
        &self,
        weight: &Tensor,
        bias: Option<&Tensor>,
        spec: ConvTranspose1dSpec,
    ) -> Result<Tensor> {
        const OP: &str = "conv_transpose1d";
        if weight.shape().rank() != 3 {
            let detail = format!("weight must be [C_in, C_out / groups, K], came as {}", weight.shape());
            return Err(Error::shape(OP, detail));
        }
        let ConvTranspose1dSpec { stride, padding, output_padding, dilation, groups } = spec;
        let spec = ConvTranspose2dSpec {
            stride: [1, stride],
            padding: [0, padding],
            output_padding: [0, output_padding],
            dilation: [1, dilation],
            groups,
        };
        transposed(OP, &row(OP, self)?, &weight.unsqueeze(2)?, bias, spec)?.squeeze(2)
    }
}

fn transposed(
    op: &'static str,
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    spec: ConvTranspose2dSpec,
) -> Result<Tensor> {
    check::float(op, x)?;
    check::same(op, &["input", "weight"], &[x, weight])?;
    let shape = output_shape(op, x.shape(), weight.shape(), spec)?;
    check::size(op, &shape, x.dtype())?;
    if let Some(bias) = bias {
        check::same(op, &["input", "bias"], &[x, bias])?;
        if bias.shape()[..] != shape[1..2] {
            let detail = format!("bias must be [{}] for weight {}, came as {}", shape[1], weight.shape(), bias.shape());
            return Err(Error::shape(op, detail));
        }
        if is_half(x) {
            // The bias is added in f32, so that the sum is rounded only once.
            let [weight, bias] = all_f32([Some(weight), Some(bias)])?;
            let weight = weight.ok_or_else(|| Error::argument(op, "no weight"))?;
            return in_f32(x, |x| transposed(op, x, &weight, bias.as_ref(), spec));
        }
    }
    let ConvTranspose2dSpec { stride, padding, output_padding, dilation, groups } = spec;
    let conv = |padding| Conv2dSpec { stride, padding, dilation, groups };
    let y = if (0..2).all(|i| output_padding[i] < stride[i]) {
        input_grad(x, weight, conv(padding), &shape)?
    } else {
        // More than a convolution of that stride leaves over: the part of the unpadded one, with zeros behind it.
        let size = |i: usize| (x.shape()[i] - 1) * stride[i - 2] + dilation[i - 2] * (weight.shape()[i] - 1) + 1;
        let high = |i: usize| output_padding[i].saturating_sub(padding[i]);
        let behind = [0, 0, high(0), high(1)].map(|high| PadAmount { high, ..PadAmount::default() });
        let whole = input_grad(x, weight, conv([0, 0]), &[shape[0], shape[1], size(2), size(3)].into())?;
        whole.pad(&behind, 0.0)?.narrow(2, padding[0], shape[2])?.narrow(3, padding[1], shape[3])?
    };
    bias.map_or(Ok(y.clone()), |bias| y.add(&bias.reshape([bias.count(), 1, 1])?))
}

fn output_shape(op: &'static str, x: &Shape, weight: &Shape, spec: ConvTranspose2dSpec) -> Result<Shape> {
    let ConvTranspose2dSpec { stride, padding, output_padding, dilation, groups } = spec;
    if x.rank() != 4 {
        return Err(Error::shape(op, format!("input must be [N, C_in, H, W], came as {x}")));
    }
    if weight.rank() != 4 {
        return Err(Error::shape(op, format!("weight must be [C_in, C_out / groups, Kh, Kw], came as {weight}")));
    }
    if x[1] != weight[0] {
        let detail = format!(
            "weight expects {} input channels (dim 0 of {weight}), input has {} (dim 1 of {x})",
            weight[0], x[1]
        );
        return Err(Error::shape(op, detail));
    }
    if groups == 0 || !x[1].is_multiple_of(groups) {
        return Err(Error::argument(
            op,
            format!("groups {groups} must divide the {} input channels (dim 1 of {x})", x[1]),
        ));
    }
    let channels = weight[1].checked_mul(groups);
    let channels =
        channels.ok_or_else(|| Error::argument(op, format!("groups {groups} is more than can be counted")))?;
    let mut dims = vec![x[0], channels];
    for i in 0..2 {
        let (size, kernel) = (x[2 + i], weight[2 + i]);
        if kernel == 0 || stride[i] == 0 || dilation[i] == 0 {
            let detail = format!(
                "kernel size {kernel}, stride {} and dilation {} must all be at least 1",
                stride[i], dilation[i]
            );
            return Err(Error::argument(op, detail));
        }
        if output_padding[i] >= stride[i].max(dilation[i]) {
            let detail = format!(
                "output_padding {} must be less than stride {} or dilation {}",
                output_padding[i], stride[i], dilation[i]
            );
            return Err(Error::argument(op, detail));
        }
        if size == 0 {
            return Err(Error::shape(op, format!("dim {} of {x} is empty", 2 + i)));
        }
        let whole = (size - 1)
            .checked_mul(stride[i])
            .and_then(|steps| steps.checked_add((kernel - 1).checked_mul(dilation[i])?))
            .and_then(|reach| reach.checked_add(1)?.checked_add(output_padding[i]));
        let cut = padding[i].checked_mul(2);
        let left = whole.zip(cut).and_then(|(whole, cut)| whole.checked_sub(cut)).filter(|&left| left > 0);
        let Some(left) = left else {
            let detail =
                format!("padding {} leaves nothing of dim {} for input {x}, weight {weight}", padding[i], 2 + i);
            return Err(Error::argument(op, detail));
        };
        dims.push(left);
    }
    Ok(dims.into())
}

pub(super) fn cases() -> Vec<Case> {
    let conv = |name: &str, spec: ConvTranspose2dSpec, x: [usize; 4], w: [usize; 4]| {
        let out = w[1] * spec.groups;
        Case::new(name, move |x| x[0].conv_transpose2d(&x[1], Some(&x[2]), spec)).input(x).input(w).input([out])
    };
    let plain = ConvTranspose2dSpec::default();
    let strided = ConvTranspose2dSpec { stride: [2, 3], padding: [1, 0], output_padding: [1, 2], ..plain };
    let row = ConvTranspose1dSpec { stride: 2, padding: 1, output_padding: 1, ..Default::default() };
    vec![
        conv("plain", plain, [2, 3, 2, 3], [3, 2, 2, 3]),
        conv("stride, padding, output padding", strided, [1, 2, 3, 2], [2, 2, 3, 2]),
        conv("groups", ConvTranspose2dSpec { groups: 2, ..plain }, [1, 4, 2, 2], [4, 1, 2, 2]),
        conv(
            "dilation, and output padding beyond the stride",
            ConvTranspose2dSpec { dilation: [2, 3], padding: [2, 1], output_padding: [1, 2], ..plain },
            [1, 2, 3, 2],
            [2, 1, 2, 2],
        ),
        Case::new("no bias", move |x| x[0].conv_transpose2d(&x[1], None, plain))
            .input([1, 2, 2, 2])
            .input([2, 1, 2, 2]),
        Case::new("a row", move |x| x[0].conv_transpose1d(&x[1], Some(&x[2]), row))
            .input([2, 2, 3])
            .input([2, 3, 3])
            .input([3]),
    ]
}
