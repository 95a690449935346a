//! Random rotation.

use super::warp::{Motion, warp};
use super::{Augmentation, Draw, Picture, in_range};
use crate::Result;
use serde::{Deserialize, Serialize};

/// Rotates about the image's centre by an angle uniform in −`degrees`..`degrees`: bilinear interpolation, with zeros
/// beyond the edges.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotate {
    /// The largest angle either way, 0 to 180 degrees.
    pub degrees: f64,
}

impl Augmentation for Rotate {
    fn check(&self) -> Result<()> {
        in_range("rotate: degrees", self.degrees, 0.0, 180.0)
    }

    fn apply(&self, picture: &mut Picture<'_>, draw: &Draw) {
        let degrees = draw.between(0, -self.degrees, self.degrees);
        warp(picture, &Motion { degrees, ..Motion::NONE }.inverse());
    }
}
