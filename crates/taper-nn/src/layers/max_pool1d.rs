//! Max pooling of sequences and signals.

use crate::gradcheck::layer;
use crate::{Context, Module};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Pool1dSpec, Result, Tensor};

/// The largest element of each window of `[N, C, L]`: `[N, C, L_out]`.
#[derive(Debug, Clone, Copy)]
pub struct MaxPool1d(pub Pool1dSpec);

impl MaxPool1d {
    /// Windows of `kernel_size`, without overlap or padding.
    pub fn new(kernel_size: usize) -> Self {
        Self(Pool1dSpec::of(kernel_size))
    }

    /// Sets the stride.
    pub fn stride(mut self, stride: usize) -> Self {
        self.0.stride = stride;
        self
    }

    /// Sets the padding: −∞ at both ends, at most half the window.
    pub fn padding(mut self, padding: usize) -> Self {
        self.0.padding = padding;
        self
    }

    /// Sets whether a last window that reaches past the end is kept.
    pub fn ceil_mode(mut self, ceil_mode: bool) -> Self {
        self.0.ceil_mode = ceil_mode;
        self
    }
}

impl Module for MaxPool1d {
    fn forward(&self, x: &Tensor, _context: &Context) -> Result<Tensor> {
        x.max_pool1d(self.0)
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        layer("side by side", |_| Ok(MaxPool1d::new(2))).input([2, 2, 6]),
        layer("overlapping, padded", |_| Ok(MaxPool1d::new(3).stride(2).padding(1).ceil_mode(true))).input([1, 2, 6]),
    ]
}
