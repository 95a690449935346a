//! Cutout: a random square set to zero.

use super::{Augmentation, Draw, Picture, argument};
use crate::Result;
use serde::{Deserialize, Serialize};

/// Sets a square of `size` × `size` pixels to zero in all channels. Its centre is uniform over the image, so that the
/// square may reach over the edge (DeVries and Taylor, "Improved regularization of convolutional neural networks with
/// cutout", 2017). In the paper zero is the mean colour: put `Cutout` after [`Normalize`](super::Normalize).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cutout {
    /// The square's side in pixels, at least 1: 16 for CIFAR-10 and 8 for CIFAR-100 in the paper.
    pub size: usize,
}

impl Augmentation for Cutout {
    fn check(&self) -> Result<()> {
        if self.size == 0 {
            return Err(argument("cutout: size: expected at least 1, found 0".into()));
        }
        Ok(())
    }

    fn apply(&self, picture: &mut Picture<'_>, draw: &Draw) {
        let [_, height, width] = picture.shape();
        let span = |i, side: usize| {
            let (centre, before) = (draw.key.below(i, side), self.size / 2);
            centre.saturating_sub(before)..centre.saturating_add(self.size - before).min(side)
        };
        let (rows, columns) = (span(0, height), span(1, width));
        for channel in picture.channels_mut() {
            for row in channel.chunks_exact_mut(width).take(rows.end).skip(rows.start) {
                row[columns.clone()].fill(0.0);
            }
        }
    }
}
