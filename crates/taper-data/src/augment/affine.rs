//! Random affine transformation: rotation, shift, scale and shear at once.

use super::warp::{Motion, warp};
use super::{Augmentation, Draw, Picture, argument, in_range};
use crate::Result;
use serde::{Deserialize, Serialize};

/// Shears, scales and rotates about the image's centre, then shifts, as torchvision's `RandomAffine`: bilinear
/// interpolation, with zeros beyond the edges. Each amount is drawn uniformly from its range. The default of each field
/// changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Affine {
    /// The largest angle of rotation either way, 0 to 180 degrees.
    pub degrees: f64,
    /// The largest shift either way, in x and in y, as a fraction of width and height, 0 to 1; shifts are whole pixels.
    pub translate: [f64; 2],
    /// The smallest and the largest scale: 0 < smallest ≤ largest ≤ 10; over 1 enlarges.
    pub scale: [f64; 2],
    /// The largest angle of shear along x either way, 0 to 80 degrees.
    pub shear: f64,
}

impl Default for Affine {
    fn default() -> Self {
        Self { degrees: 0.0, translate: [0.0; 2], scale: [1.0; 2], shear: 0.0 }
    }
}

impl Augmentation for Affine {
    fn check(&self) -> Result<()> {
        in_range("affine: degrees", self.degrees, 0.0, 180.0)?;
        in_range("affine: translate (x)", self.translate[0], 0.0, 1.0)?;
        in_range("affine: translate (y)", self.translate[1], 0.0, 1.0)?;
        in_range("affine: shear", self.shear, 0.0, 80.0)?;
        let [low, high] = self.scale;
        if !(0.0 < low && low <= high && high <= 10.0) {
            return Err(argument(format!("affine: scale: expected 0 < low ≤ high ≤ 10, found [{low}, {high}]")));
        }
        Ok(())
    }

    fn apply(&self, picture: &mut Picture<'_>, draw: &Draw) {
        let [_, height, width] = picture.shape();
        let pixels = |i, most: f64, side: usize| draw.between(i, -most * side as f64, most * side as f64).round();
        let motion = Motion {
            degrees: draw.between(0, -self.degrees, self.degrees),
            shift: [pixels(1, self.translate[0], width), pixels(2, self.translate[1], height)],
            scale: draw.between(3, self.scale[0], self.scale[1]),
            shear: [draw.between(4, -self.shear, self.shear), 0.0],
        };
        warp(picture, &motion.inverse());
    }
}
