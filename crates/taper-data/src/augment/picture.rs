//! A picture that is being changed, and what decides how.

use crate::{Error, Result};
use taper_backend::RandomKey;

/// One picture `[C, H, W]` of f32, values in [0, 1] until [`Normalize`](super::Normalize), and memory for a second one.
#[derive(Debug)]
pub struct Picture<'p> {
    values: &'p mut Vec<f32>,
    spare: &'p mut Vec<f32>,
    shape: [usize; 3],
}

impl<'p> Picture<'p> {
    /// The picture `values` of `shape` `[C, H, W]`. `spare` may hold anything.
    ///
    /// # Errors
    /// When the shape has another number of values, or none.
    pub fn new(values: &'p mut Vec<f32>, spare: &'p mut Vec<f32>, shape: [usize; 3]) -> Result<Self> {
        let size = shape.iter().try_fold(1_usize, |all, &n| all.checked_mul(n));
        if size != Some(values.len()) || values.is_empty() {
            return Err(Error::Argument(format!("Picture: shape {shape:?} does not fit {} values", values.len())));
        }
        spare.resize(values.len(), 0.0);
        Ok(Self { values, spare, shape })
    }

    /// `[C, H, W]`.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The values, row-major.
    pub fn values(&self) -> &[f32] {
        self.values
    }

    /// The values, row-major.
    pub fn values_mut(&mut self) -> &mut [f32] {
        self.values
    }

    /// The channels, each `[H, W]`, in order.
    pub fn channels_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let [_, height, width] = self.shape;
        self.values.chunks_exact_mut(height * width)
    }

    /// Puts what `draw(old, new)` writes in the picture's place. It must write all of `new`, which holds anything before.
    pub fn redraw(&mut self, draw: impl FnOnce(&[f32], &mut [f32])) {
        draw(self.values, self.spare);
        std::mem::swap(self.values, self.spare);
    }

    /// [`redraw`](Self::redraw), channel by channel.
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

/// What decides how a picture is changed this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// Random numbers of this place in the list, this epoch and this sample.
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
        // Rounded, the sum may be `high` itself.
        if x < high || low == high { x } else { high.next_down() }
    }

    /// The `i`-th integer, uniform in `-reach..=reach`.
    pub(super) fn offset(&self, i: u64, reach: usize) -> isize {
        self.key.below(i, 2 * reach + 1) as isize - reach as isize
    }
}
