//! Average pooling, with windows of a given size, or to an output of a given size (adaptive).

use super::Pair;
use crate::gradcheck::layer;
use crate::{Context, Module};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Pool2dSpec, Result, Tensor};

/// The mean of each window of `[N, C, H, W]`.
#[derive(Debug, Clone, Copy)]
pub struct AvgPool2d(pub Pool2dSpec);

impl AvgPool2d {
    /// Windows of `kernel_size`, without overlap or padding.
    pub fn new(kernel_size: impl Into<Pair>) -> Self {
        let kernel_size = kernel_size.into().0;
        Self(Pool2dSpec { kernel_size, stride: kernel_size, ..Pool2dSpec::square(1) })
    }

    /// Sets the stride, down and across.
    pub fn stride(mut self, stride: impl Into<Pair>) -> Self {
        self.0.stride = stride.into().0;
        self
    }

    /// Sets the padding: zeros on both sides, at most half the window.
    pub fn padding(mut self, padding: impl Into<Pair>) -> Self {
        self.0.padding = padding.into().0;
        self
    }

    /// Sets whether a last window that reaches past the edge is kept.
    pub fn ceil_mode(mut self, ceil_mode: bool) -> Self {
        self.0.ceil_mode = ceil_mode;
        self
    }

    /// Sets whether padding counts in the divisor; it does by default.
    pub fn count_include_pad(mut self, count: bool) -> Self {
        self.0.count_include_pad = count;
        self
    }
}

impl Module for AvgPool2d {
    fn forward(&self, x: &Tensor, _context: &Context) -> Result<Tensor> {
        x.avg_pool2d(self.0)
    }
}

/// Average pooling of `[N, C, H, W]` to `[N, C, H_out, W_out]`, whatever H and W: window i of n goes from ⌊i · H / n⌋
/// up to, and not including, ⌈(i + 1) · H / n⌉, and likewise across.
#[derive(Debug, Clone, Copy)]
pub struct AdaptiveAvgPool2d([usize; 2]);

impl AdaptiveAvgPool2d {
    /// Pools to `output_size`, height and width; 1 is global average pooling.
    pub fn new(output_size: impl Into<Pair>) -> Self {
        Self(output_size.into().0)
    }
}

impl Module for AdaptiveAvgPool2d {
    fn forward(&self, x: &Tensor, _context: &Context) -> Result<Tensor> {
        x.adaptive_avg_pool2d(self.0)
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        layer("side by side", |_| Ok(AvgPool2d::new(2))).input([2, 2, 4, 5]),
        layer("overlapping, padding not counted", |_| {
            Ok(AvgPool2d::new(3).stride(2).padding(1).ceil_mode(true).count_include_pad(false))
        })
        .input([1, 2, 4, 6]),
        layer("adaptive", |_| Ok(AdaptiveAvgPool2d::new([2, 3]))).input([2, 2, 5, 4]),
    ]
}
