//! An image during augmentation, and the random numbers of one augmentation of one sample.

use crate::{Error, Result};
use taper_backend::RandomKey;

/// One image `[C, H, W]` of f32, with values in [0, 1] until [`Normalize`](super::Normalize), and scratch memory for
/// a second image of the same shape.
#[derive(Debug)]
pub struct Picture<'p> {
    values: &'p mut Vec<f32>,
    spare: &'p mut Vec<f32>,
    shape: [usize; 3],
}

impl<'p> Picture<'p> {
    /// The image `values` (row-major) of `shape` `[C, H, W]`. `spare` is scratch memory, whose content does not
    /// matter.
    ///
    /// # Errors
    /// When `values` is empty or its length is not the shape's product.
    pub fn new(values: &'p mut Vec<f32>, spare: &'p mut Vec<f32>, shape: [usize; 3]) -> Result<Self> {
        let size = shape.iter().try_fold(1_usize, |all, &n| all.checked_mul(n));
        if size != Some(values.len()) || values.is_empty() {
            return Err(Error::Argument(format!("Picture: shape {shape:?} does not fit {} values", values.len())));
        }
        spare.resize(values.len(), 0.0);
        Ok(Self { values, spare, shape })
    }

    /// The shape, `[C, H, W]`.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The values, row-major.
    pub fn values(&self) -> &[f32] {
        self.values
    }

    /// The values, row-major, to change in place.
    pub fn values_mut(&mut self) -> &mut [f32] {
        self.values
    }

    /// The channels, each `[H, W]`, in order.
    pub fn channels_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let [_, height, width] = self.shape;
        self.values.chunks_exact_mut(height * width)
    }

    /// Replaces the image by what `draw(old, new)` writes to `new`, both C·H·W values. `new` holds arbitrary values
    /// before, so that `draw` must write all of it.
    pub fn redraw(&mut self, draw: impl FnOnce(&[f32], &mut [f32])) {
        draw(self.values, self.spare);
        std::mem::swap(self.values, self.spare);
    }

    /// As [`redraw`](Self::redraw), called for each channel with its H·W values.
    pub fn redraw_channels(&mut self, mut draw: impl FnMut(&[f32], &mut [f32])) {
        let [_, height, width] = self.shape;
        let size = height * width;
        self.redraw(|old, new| {
            for (old, new) in old.chunks_exact(size).zip(new.chunks_exact_mut(size)) {
                draw(old, new);
            }
        });
    }
}

/// The random numbers of one augmentation of one sample in one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// The key of the random numbers, of this position in the list of augmentations, this epoch and this sample.
    pub key: RandomKey,
    /// The epoch, from 0.
    pub epoch: u64,
    /// The sample's index in the dataset.
    pub sample: usize,
}

impl Draw {
    /// The `i`-th number, uniform in [`low`, `high`), or `low` where they are equal.
    pub(super) fn between(&self, i: u64, low: f64, high: f64) -> f64 {
        let x = low + (high - low) * self.key.uniform(i);
        // Rounding may make the sum `high` itself.
        if x < high || low == high { x } else { high.next_down() }
    }

    /// The `i`-th integer, uniform in `-reach..=reach`.
    pub(super) fn offset(&self, i: u64, reach: usize) -> isize {
        self.key.below(i, 2 * reach + 1) as isize - reach as isize
    }
}
