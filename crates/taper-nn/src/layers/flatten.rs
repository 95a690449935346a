//! Flattening all dimensions after the batch dimension into one.

use crate::gradcheck::layer;
use crate::{Context, Module};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Result, Tensor};

/// Flattens `[N, C, H, W]` to `[N, C·H·W]`, and likewise any other `[N, …]`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flatten;

impl Module for Flatten {
    fn forward(&self, x: &Tensor, _context: &Context) -> Result<Tensor> {
        x.flatten(1)
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![layer("pictures", |_| Ok(Flatten)).input([2, 3, 2, 2])]
}
