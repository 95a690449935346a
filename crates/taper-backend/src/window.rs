//! The parameters of 2-D convolution and pooling, and their output shapes.

use crate::{Error, Result, Shape};

/// The parameters of a 2-D convolution (a cross-correlation, as in PyTorch). Pairs are `[height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Conv2dSpec {
    /// The distance from one window to the next; at least 1.
    pub stride: [usize; 2],
    /// Zeros added on each side.
    pub padding: [usize; 2],
    /// The distance between a kernel's elements; at least 1.
    pub dilation: [usize; 2],
    /// The number of independent groups that the channels are split into; `C_in` for a depthwise convolution.
    pub groups: usize,
}

impl Default for Conv2dSpec {
    fn default() -> Self {
        Self { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 }
    }
}

impl Conv2dSpec {
    /// The output shape `[N, C_out, H_out, W_out]` for `x: [N, C_in, H, W]` and
    /// `weight: [C_out, C_in / groups, Kh, Kw]`. Shapes or parameters that do not fit are an error.
    pub fn output_shape(&self, x: &Shape, weight: &Shape) -> Result<Shape> {
        const OP: &str = "conv2d";
        if x.rank() != 4 {
            return Err(Error::shape(OP, format!("input must be [N, C, H, W], came as {x}")));
        }
        if weight.rank() != 4 {
            return Err(Error::shape(OP, format!("weight must be [C_out, C_in / groups, Kh, Kw], came as {weight}")));
        }
        if self.groups == 0 || !weight[0].is_multiple_of(self.groups) {
            let detail =
                format!("groups {} must divide the {} output channels (dim 0 of {weight})", self.groups, weight[0]);
            return Err(Error::argument(OP, detail));
        }
        let expected = weight[1] * self.groups;
        if x[1] != expected {
            let detail = format!(
                "weight expects {expected} input channels (dim 1 of {weight}{}), input has {} (dim 1 of {x})",
                if self.groups > 1 { format!(" times {} groups", self.groups) } else { String::new() },
                x[1]
            );
            return Err(Error::shape(OP, detail));
        }
        let mut dims = vec![x[0], weight[0], 0, 0];
        for i in 0..2 {
            dims[2 + i] = Window {
                size: weight[2 + i],
                stride: self.stride[i],
                padding: self.padding[i],
                dilation: self.dilation[i],
                ceil_mode: false,
            }
            .positions(OP, x, 2 + i)?;
        }
        Ok(dims.into())
    }
}

/// The parameters of 2-D pooling. Pairs are `[height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pool2dSpec {
    /// The window's size; at least 1.
    pub kernel_size: [usize; 2],
    /// The distance from one window to the next; at least 1.
    pub stride: [usize; 2],
    /// Padding on each side, at most half the window: −∞ for max pooling, zeros for average pooling.
    pub padding: [usize; 2],
    /// Whether a last window that reaches past the padded edge is kept (it must start inside the image or its left
    /// padding).
    pub ceil_mode: bool,
    /// For average pooling: whether padding counts in the divisor. What `ceil_mode` adds beyond the padding never
    /// counts.
    pub count_include_pad: bool,
}

impl Pool2dSpec {
    /// Windows of `size` × `size` with a stride of `size` and no padding.
    pub fn square(size: usize) -> Self {
        Self { kernel_size: [size; 2], stride: [size; 2], padding: [0, 0], ceil_mode: false, count_include_pad: true }
    }

    /// The output shape `[N, C, H_out, W_out]` for `x: [N, C, H, W]`. A shape or parameters that do not fit are an
    /// error; `op` names the caller in it.
    pub fn output_shape(&self, op: &'static str, x: &Shape) -> Result<Shape> {
        if x.rank() != 4 {
            return Err(Error::shape(op, format!("input must be [N, C, H, W], came as {x}")));
        }
        let mut dims = vec![x[0], x[1], 0, 0];
        for i in 0..2 {
            if self.padding[i] > self.kernel_size[i] / 2 {
                let (padding, kernel) = (self.padding[i], self.kernel_size[i]);
                let detail = format!("padding {padding} is more than half of kernel_size {kernel}");
                return Err(Error::argument(op, detail));
            }
            dims[2 + i] = Window {
                size: self.kernel_size[i],
                stride: self.stride[i],
                padding: self.padding[i],
                dilation: 1,
                ceil_mode: self.ceil_mode,
            }
            .positions(op, x, 2 + i)?;
        }
        Ok(dims.into())
    }
}

/// A window along one dimension.
struct Window {
    size: usize,
    stride: usize,
    padding: usize,
    dilation: usize,
    ceil_mode: bool,
}

impl Window {
    /// The number of positions of the window along dimension `dim` of `x`: the output's size in that dimension.
    fn positions(&self, op: &'static str, x: &Shape, dim: usize) -> Result<usize> {
        let Self { size, stride, padding, dilation, ceil_mode } = *self;
        if size == 0 || stride == 0 || dilation == 0 {
            let detail = format!("kernel size {size}, stride {stride} and dilation {dilation} must all be at least 1");
            return Err(Error::argument(op, detail));
        }
        let too_large = || Error::argument(op, format!("padding {padding} or kernel size {size} is too large"));
        let reach = (size - 1).checked_mul(dilation).and_then(|r| r.checked_add(1)).ok_or_else(too_large)?;
        let padded = padding.checked_mul(2).and_then(|p| p.checked_add(x[dim])).ok_or_else(too_large)?;
        let Some(room) = padded.checked_sub(reach) else {
            return Err(Error::shape(
                op,
                format!(
                    "a window of {reach} does not fit in {padded} (dim {dim} of {x} with padding {padding} on both sides)"
                ),
            ));
        };
        if !ceil_mode {
            return Ok(room / stride + 1);
        }
        let positions = room.div_ceil(stride) + 1;
        // The last window must start inside the image or its left padding, as in PyTorch.
        Ok(if (positions - 1) * stride >= x[dim] + padding { positions - 1 } else { positions })
    }
}
