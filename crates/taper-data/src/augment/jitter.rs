//! Colours made lighter, duller or other.

use super::{Augmentation, Draw, Picture, argument, color, in_range};
use crate::Result;
use serde::{Deserialize, Serialize};

/// Changes brightness, contrast, saturation and hue, in random order, as torchvision's `ColorJitter`: the first three by a
/// factor uniform in [max(0, 1 − v), 1 + v], blending with black, with the mean grey and with the grey picture; the hue by
/// a turn uniform in [−v, v] of a whole circle. What is 0 is left alone. Pictures of one channel have neither saturation
/// nor hue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ColorJitter {
    /// 0 to 10.
    pub brightness: f64,
    /// 0 to 10.
    pub contrast: f64,
    /// 0 to 10.
    pub saturation: f64,
    /// 0 to 0.5.
    pub hue: f64,
}

impl Augmentation for ColorJitter {
    fn check(&self) -> Result<()> {
        in_range("color-jitter: brightness", self.brightness, 0.0, 10.0)?;
        in_range("color-jitter: contrast", self.contrast, 0.0, 10.0)?;
        in_range("color-jitter: saturation", self.saturation, 0.0, 10.0)?;
        in_range("color-jitter: hue", self.hue, 0.0, 0.5)
    }

    fn check_shape(&self, [channels, _, _]: [usize; 3]) -> Result<()> {
        if !matches!(channels, 1 | 3) {
            return Err(argument(format!("color-jitter: expected pictures of 1 or 3 channels, found {channels}")));
        }
        Ok(())
    }

    fn wants_unit_range(&self) -> bool {
        true
    }

    fn apply(&self, picture: &mut Picture<'_>, draw: &Draw) {
        let factor = |i, v: f64| draw.between(i, (1.0 - v).max(0.0), 1.0 + v) as f32;
        for kind in draw.key.child("order").permutation(4) {
            match kind {
                0 if self.brightness > 0.0 => color::brightness(picture, factor(0, self.brightness)),
                1 if self.contrast > 0.0 => color::contrast(picture, factor(1, self.contrast)),
                2 if self.saturation > 0.0 => color::saturation(picture, factor(2, self.saturation)),
                3 if self.hue > 0.0 => color::hue(picture, draw.between(3, -self.hue, self.hue) as f32),
                _ => {}
            }
        }
    }
}
