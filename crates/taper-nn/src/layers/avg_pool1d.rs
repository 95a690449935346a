//! Average pooling of sequences and signals, with windows of a given size, or to an output of a given size (adaptive).

use crate::gradcheck::layer;
use crate::{Context, Module};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, Pool1dSpec, Result, Tensor};

/// The mean of each window of `[N, C, L]`: `[N, C, L_out]`.
#[derive(Debug, Clone, Copy)]
pub struct AvgPool1d(pub Pool1dSpec);

impl AvgPool1d {
    /// Windows of `kernel_size`, without overlap or padding.
    pub fn new(kernel_size: usize) -> Self {
        Self(Pool1dSpec::of(kernel_size))
    }

    /// Sets the stride.
    pub fn stride(mut self, stride: usize) -> Self {
        self.0.stride = stride;
        self
    }

    /// Sets the padding: zeros at both ends, at most half the window.
    pub fn padding(mut self, padding: usize) -> Self {
        self.0.padding = padding;
        self
    }

    /// Sets whether a last window that reaches past the end is kept.
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

impl Module for AvgPool1d {
    fn forward(&self, x: &Tensor, _context: &Context) -> Result<Tensor> {
        x.avg_pool1d(self.0)
    }
}

/// Average pooling of `[N, C, L]` to `[N, C, L_out]`, whatever L: window i of n goes from ⌊i · L / n⌋ up to, and not
/// including, ⌈(i + 1) · L / n⌉.
#[derive(Debug, Clone, Copy)]
pub struct AdaptiveAvgPool1d(usize);

impl AdaptiveAvgPool1d {
    /// Pools to the length `output_size`; 1 is the mean over all of it.
    pub fn new(output_size: usize) -> Self {
        Self(output_size)
    }
}

impl Module for AdaptiveAvgPool1d {
    fn forward(&self, x: &Tensor, _context: &Context) -> Result<Tensor> {
        if x.shape().rank() != 3 {
            let detail = format!("input must be [N, C, L], came as {}", x.shape());
            return Err(Error::shape("adaptive_avg_pool1d", detail));
        }
        x.unsqueeze(2)?.adaptive_avg_pool2d([1, self.0])?.squeeze(2)
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        layer("side by side", |_| Ok(AvgPool1d::new(2))).input([2, 2, 5]),
        layer("overlapping, padding not counted", |_| {
            Ok(AvgPool1d::new(3).stride(2).padding(1).ceil_mode(true).count_include_pad(false))
        })
        .input([1, 2, 6]),
        layer("adaptive", |_| Ok(AdaptiveAvgPool1d::new(3))).input([2, 2, 5]),
    ]
}
