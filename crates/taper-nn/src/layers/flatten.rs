//! All dimensions behind the batch as one.

use crate::gradcheck::layer;
use crate::{Context, Module};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Result, Tensor};

/// `[N, C, H, W]` to `[N, C·H·W]`.
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
