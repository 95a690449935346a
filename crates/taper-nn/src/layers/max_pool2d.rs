//! Max pooling.

use super::Pair;
use crate::gradcheck::layer;
use crate::{Context, Module};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Pool2dSpec, Result, Tensor};

/// The largest element of each window of `[N, C, H, W]`.
#[derive(Debug, Clone, Copy)]
pub struct MaxPool2d(pub Pool2dSpec);

impl MaxPool2d {
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

    /// Sets the padding: −∞ on both sides, at most half the window.
    pub fn padding(mut self, padding: impl Into<Pair>) -> Self {
        self.0.padding = padding.into().0;
        self
    }

    /// Sets whether a last window that reaches past the edge is kept.
    pub fn ceil_mode(mut self, ceil_mode: bool) -> Self {
        self.0.ceil_mode = ceil_mode;
        self
    }
}

impl Module for MaxPool2d {
    fn forward(&self, x: &Tensor, _context: &Context) -> Result<Tensor> {
        x.max_pool2d(self.0)
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        layer("side by side", |_| Ok(MaxPool2d::new(2))).input([2, 2, 4, 4]),
        layer("overlapping, padded", |_| Ok(MaxPool2d::new(3).stride(2).padding(1).ceil_mode(true)))
            .input([1, 2, 4, 6]),
    ]
}
