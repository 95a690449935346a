//! Padding of pictures with zeros, as PyTorch's `ZeroPad2d`.

use crate::gradcheck::layer;
use crate::{Context, Module};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Error, PadAmount, Result, Tensor};

/// Zeros around `[N, C, H, W]`: `[N, C, top + H + bottom, left + W + right]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ZeroPad2d {
    /// Columns before the first.
    pub left: usize,
    /// Columns after the last.
    pub right: usize,
    /// Rows above the first.
    pub top: usize,
    /// Rows below the last.
    pub bottom: usize,
}

impl ZeroPad2d {
    /// As many zeros on every side.
    pub fn new(padding: usize) -> Self {
        Self { left: padding, right: padding, top: padding, bottom: padding }
    }
}

impl Module for ZeroPad2d {
    fn forward(&self, x: &Tensor, _context: &Context) -> Result<Tensor> {
        if x.shape().rank() != 4 {
            let detail = format!("input must be [N, C, H, W], came as {}", x.shape());
            return Err(Error::shape("zero_pad2d", detail));
        }
        let amount = |low, high| PadAmount { low, high, interior: 0 };
        let none = PadAmount::default();
        x.pad(&[none, none, amount(self.top, self.bottom), amount(self.left, self.right)], 0.0)
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        layer("all sides", |_| Ok(ZeroPad2d::new(1))).input([1, 2, 2, 2]),
        layer("one column", |_| Ok(ZeroPad2d { left: 0, right: 1, ..ZeroPad2d::new(0) })).input([2, 1, 2, 3]),
    ]
}
