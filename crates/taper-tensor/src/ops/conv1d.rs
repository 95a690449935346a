//! 1-D convolution and pooling: 2-D ones of pictures of one row.

use crate::Tensor;
use crate::check;
use crate::gradcheck::Case;
use taper_backend::{Conv2dSpec, Error, Pool2dSpec, Result};

/// The parameters of a 1-D convolution (a cross-correlation, as in PyTorch).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Conv1dSpec {
    /// The distance from one window to the next; at least 1.
    pub stride: usize,
    /// Zeros added on each side.
    pub padding: usize,
    /// The distance between a kernel's elements; at least 1.
    pub dilation: usize,
    /// The number of independent groups that the channels are split into.
    pub groups: usize,
}

impl Default for Conv1dSpec {
    fn default() -> Self {
        Self { stride: 1, padding: 0, dilation: 1, groups: 1 }
    }
}

/// The parameters of 1-D pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pool1dSpec {
    /// The window's size; at least 1.
    pub kernel_size: usize,
    /// The distance from one window to the next; at least 1.
    pub stride: usize,
    /// Padding on each side, at most half the window: −∞ for max pooling, zeros for average pooling.
    pub padding: usize,
    /// Whether a last window that reaches past the padded edge is kept, see [`Pool2dSpec::ceil_mode`].
    pub ceil_mode: bool,
    /// For average pooling: whether padding counts in the divisor.
    pub count_include_pad: bool,
}

impl Pool1dSpec {
    /// Windows of `size` with a stride of `size` and no padding.
    pub fn of(size: usize) -> Self {
        Self { kernel_size: size, stride: size, padding: 0, ceil_mode: false, count_include_pad: true }
    }

    fn of_row(self) -> Pool2dSpec {
        Pool2dSpec {
            kernel_size: [1, self.kernel_size],
            stride: [1, self.stride],
            padding: [0, self.padding],
            ceil_mode: self.ceil_mode,
            count_include_pad: self.count_include_pad,
        }
    }
}

impl Tensor {
    /// Convolves `[N, C_in, L]` with `weight: [C_out, C_in / groups, K]` and adds `bias: [C_out]`: `[N, C_out, L_out]`
    /// with `L_out = (L + 2 padding − dilation (K − 1) − 1) / stride + 1`, rounded down. Errors are those of the 2-D
    /// convolution of one row.
    pub fn conv1d(&self, weight: &Tensor, bias: Option<&Tensor>, spec: Conv1dSpec) -> Result<Tensor> {
        const OP: &str = "conv1d";
        check::float(OP, self)?;
        check::same(OP, &["input", "weight"], &[self, weight])?;
        if weight.shape().rank() != 3 {
            let detail = format!("weight must be [C_out, C_in / groups, K], came as {}", weight.shape());
            return Err(Error::shape(OP, detail));
        }
        let Conv1dSpec { stride, padding, dilation, groups } = spec;
        let spec = Conv2dSpec { stride: [1, stride], padding: [0, padding], dilation: [1, dilation], groups };
        row(OP, self)?.conv2d(&weight.unsqueeze(2)?, bias, spec)?.squeeze(2)
    }

    /// The largest element of each window of `[N, C, L]`: `[N, C, L_out]`. The gradient goes to the first of equals.
    pub fn max_pool1d(&self, spec: Pool1dSpec) -> Result<Tensor> {
        check::float("max_pool1d", self)?;
        row("max_pool1d", self)?.max_pool2d(spec.of_row())?.squeeze(2)
    }

    /// The mean of each window of `[N, C, L]`: `[N, C, L_out]`.
    pub fn avg_pool1d(&self, spec: Pool1dSpec) -> Result<Tensor> {
        check::float("avg_pool1d", self)?;
        row("avg_pool1d", self)?.avg_pool2d(spec.of_row())?.squeeze(2)
    }
}

/// `[N, C, L]` as pictures of one row, `[N, C, 1, L]`.
pub(super) fn row(op: &'static str, x: &Tensor) -> Result<Tensor> {
    if x.shape().rank() != 3 {
        return Err(Error::shape(op, format!("input must be [N, C, L], came as {}", x.shape())));
    }
    x.unsqueeze(2)
}

pub(super) fn cases() -> Vec<Case> {
    let conv = |name: &str, spec: Conv1dSpec, x: [usize; 3], w: [usize; 3]| {
        Case::new(name, move |x| x[0].conv1d(&x[1], Some(&x[2]), spec)).input(x).input(w).input([w[0]])
    };
    let plain = Conv1dSpec::default();
    let overlapping = Pool1dSpec { kernel_size: 3, padding: 1, ..Pool1dSpec::of(2) };
    vec![
        conv("plain", plain, [2, 3, 5], [2, 3, 3]),
        conv("stride and padding", Conv1dSpec { stride: 2, padding: 2, ..plain }, [2, 2, 6], [3, 2, 3]),
        conv("dilation and groups", Conv1dSpec { dilation: 2, groups: 2, ..plain }, [1, 4, 6], [4, 2, 2]),
        Case::new("no bias", move |x| x[0].conv1d(&x[1], None, plain)).input([1, 2, 4]).input([2, 2, 2]),
        Case::new("max pooling", move |x| x[0].max_pool1d(overlapping)).input([2, 2, 7]),
        Case::new("average pooling", move |x| x[0].avg_pool1d(overlapping)).input([2, 2, 7]),
    ]
}
