//! Pixel shuffle (Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel convolutional
//! neural network", CVPR 2016) and its inverse.

use crate::gradcheck::layer;
use crate::{Context, Module};
use taper_tensor::gradcheck::Case;
use taper_tensor::{Result, Tensor};

/// `[…, C·r², H, W]` to `[…, C, H·r, W·r]`: r² channels become a square of r × r pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PixelShuffle(pub usize);

impl Module for PixelShuffle {
    fn forward(&self, x: &Tensor, _context: &Context) -> Result<Tensor> {
        x.pixel_shuffle(self.0)
    }
}

/// `[…, C, H·r, W·r]` to `[…, C·r², H, W]`: the inverse of [`PixelShuffle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PixelUnshuffle(pub usize);

impl Module for PixelUnshuffle {
    fn forward(&self, x: &Tensor, _context: &Context) -> Result<Tensor> {
        x.pixel_unshuffle(self.0)
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        layer("shuffle", |_| Ok(PixelShuffle(2))).input([1, 8, 2, 1]),
        layer("unshuffle", |_| Ok(PixelUnshuffle(2))).input([1, 2, 2, 4]),
    ]
}
