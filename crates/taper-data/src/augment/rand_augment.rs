//! RandAugment: a few operations drawn at random, all at one magnitude.

use super::warp::{Motion, warp};
use super::{Augmentation, Draw, Picture, argument, color, in_range, tone};
use crate::Result;
use serde::{Deserialize, Serialize};

/// Applies `n` operations one after another, each drawn uniformly from fourteen (with repetition), at magnitude `m` of
/// 30 (Cubuk, Zoph, Shlens and Le, "RandAugment: practical automated data augmentation with a reduced search space",
/// 2020, figure 2).
///
/// The amounts at magnitude 30 are torchvision's; those at smaller magnitudes are in proportion, and amounts with two
/// directions get a random sign. Rotate: 30°. Shear-x and shear-y: atan 0.3. Translate-x and translate-y: 150/331 of
/// the width or height, in whole pixels. Brightness, color (saturation), contrast and sharpness: a factor of 1 ± 0.9.
/// Posterize: down to 4 bits. Solarize: a threshold from level 256 (no pixel) at magnitude 0 down to level 0 (all
/// pixels). Identity, auto-contrast and equalize have no magnitude. The geometric operations are about the centre,
/// with bilinear interpolation and zeros beyond the edges. Images must have 1 or 3 channels and values in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandAugment {
    /// The number of operations applied to each image, 1 to 14.
    pub n: usize,
    /// The magnitude of the operations, 0 to 30.
    pub m: usize,
}

impl Default for RandAugment {
    fn default() -> Self {
        Self { n: 2, m: 9 }
    }
}

/// The operations of the paper (figure 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Identity,
    AutoContrast,
    Equalize,
    Rotate,
    Solarize,
    Color,
    Posterize,
    Contrast,
    Brightness,
    Sharpness,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
}

impl Change {
    const ALL: [Self; 14] = [
        Self::Identity,
        Self::AutoContrast,
        Self::Equalize,
        Self::Rotate,
        Self::Solarize,
        Self::Color,
        Self::Posterize,
        Self::Contrast,
        Self::Brightness,
        Self::Sharpness,
        Self::ShearX,
        Self::ShearY,
        Self::TranslateX,
        Self::TranslateY,
    ];

    /// Applies the operation at `strength` = ±`m`/30, in −1..=1. Operations with one direction ignore the sign.
    fn apply(self, picture: &mut Picture<'_>, strength: f64) {
        let [_, height, width] = picture.shape();
        let factor = (1.0 + 0.9 * strength) as f32;
        let shear = (0.3 * strength).atan().to_degrees();
        let shift = |side: usize| (150.0 / 331.0 * side as f64 * strength).trunc();
        let motion = match self {
            Self::Identity => return,
            Self::AutoContrast => return tone::auto_contrast(picture),
            Self::Equalize => return tone::equalize(picture),
            Self::Solarize => return tone::solarize(picture, ((1.0 - strength.abs()) * 256.0 / 255.0) as f32),
            Self::Color => return color::saturation(picture, factor),
            Self::Posterize => {
                return tone::posterize(picture, 8_u32.saturating_sub((4.0 * strength.abs()).round() as u32));
            }
            Self::Contrast => return color::contrast(picture, factor),
            Self::Brightness => return color::brightness(picture, factor),
            Self::Sharpness => return tone::sharpness(picture, factor),
            Self::Rotate => Motion { degrees: 30.0 * strength, ..Motion::NONE },
            Self::ShearX => Motion { shear: [shear, 0.0], ..Motion::NONE },
            Self::ShearY => Motion { shear: [0.0, shear], ..Motion::NONE },
            Self::TranslateX => Motion { shift: [shift(width), 0.0], ..Motion::NONE },
            Self::TranslateY => Motion { shift: [0.0, shift(height)], ..Motion::NONE },
        };
        warp(picture, &motion.inverse());
    }
}

impl Augmentation for RandAugment {
    fn check(&self) -> Result<()> {
        in_range("rand-augment: n", self.n as f64, 1.0, 14.0)?;
        in_range("rand-augment: m", self.m as f64, 0.0, 30.0)
    }

    fn check_shape(&self, [channels, _, _]: [usize; 3]) -> Result<()> {
        if !matches!(channels, 1 | 3) {
            return Err(argument(format!("rand-augment: expected pictures of 1 or 3 channels, found {channels}")));
        }
        Ok(())
    }

    fn wants_unit_range(&self) -> bool {
        true
    }

    fn apply(&self, picture: &mut Picture<'_>, draw: &Draw) {
        let strength = self.m as f64 / 30.0;
        for i in 0..self.n as u64 {
            let change = Change::ALL[draw.key.below(2 * i, Change::ALL.len())];
            let sign = if draw.key.uniform(2 * i + 1) < 0.5 { -1.0 } else { 1.0 };
            change.apply(picture, sign * strength);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(change: Change, x: &[f32], shape: [usize; 3], strength: f64) -> Vec<f32> {
        let (mut values, mut spare) = (x.to_vec(), Vec::new());
        change.apply(&mut Picture::new(&mut values, &mut spare, shape).unwrap(), strength);
        values
    }

    #[test]
    fn strengths_are_torchvisions() {
        // One row of 32: 150/331 · 32 = 14.5, and at two thirds 9.7; whole pixels.
        let row: Vec<f32> = (1..=32).map(|i| i as f32 / 32.0).collect();
        let right = changed(Change::TranslateX, &row, [1, 1, 32], 1.0);
        assert_eq!((&right[..14], &right[14..]), (&[0.0; 14][..], &row[..18]));
        let up = changed(Change::TranslateY, &row, [1, 32, 1], -2.0 / 3.0);
        assert_eq!((&up[..23], &up[23..]), (&row[9..], &[0.0; 9][..]));
        // A line down the middle leans by 0.3 of the distance from the centre.
        let line: Vec<f32> = (0..441).map(|i| if i % 21 == 10 { 1.0 } else { 0.0 }).collect();
        let leaning = changed(Change::ShearX, &line, [1, 21, 21], 1.0);
        let at = |row: usize, column: usize| leaning[row * 21 + column];
        assert!((at(0, 13) - 1.0).abs() < 1e-5 && (at(10, 10) - 1.0).abs() < 1e-5 && (at(20, 7) - 1.0).abs() < 1e-5);
        let level: Vec<f32> = (0..441).map(|i| if i / 21 == 10 { 1.0 } else { 0.0 }).collect();
        assert!((changed(Change::ShearY, &level, [1, 21, 21], 1.0)[13 * 21] - 1.0).abs() < 1e-5);
        // At 30° clockwise a level line passes near (7, 4) from the centre: 7 tan 30° = 4.04.
        let turned = changed(Change::Rotate, &level, [1, 21, 21], 1.0);
        assert!(turned[14 * 21 + 17] > 0.9 && turned[10 * 21 + 17] < 0.1);

        let pixel = [200.0 / 255.0, 100.0 / 255.0, 50.0 / 255.0];
        let near = |change, strength, expected: [f32; 3]| {
            let y = changed(change, &pixel, [3, 1, 1], strength);
            assert!(y.iter().zip(expected).all(|(a, b)| (a - b / 255.0).abs() < 1e-5), "{change:?}: {y:?}");
        };
        near(Change::Identity, 1.0, [200.0, 100.0, 50.0]);
        near(Change::Posterize, 1.0, [192.0, 96.0, 48.0]);
        near(Change::Posterize, -0.5, [200.0, 100.0, 48.0]);
        near(Change::Solarize, 1.0, [55.0, 155.0, 205.0]);
        near(Change::Solarize, -0.5, [55.0, 100.0, 50.0]); // 128 and over
        near(Change::Brightness, -1.0, [20.0, 10.0, 5.0]);
        near(Change::Brightness, 1.0, [255.0, 190.0, 95.0]);
        // Grey is 0.2989 · 200 + 0.587 · 100 + 0.114 · 50 = 124.18, and of one pixel also the mean grey.
        near(Change::Color, -1.0, [131.762, 121.762, 116.762]);
        near(Change::Contrast, -1.0, [131.762, 121.762, 116.762]);
        near(Change::Sharpness, 1.0, [200.0, 100.0, 50.0]); // all edge
        near(Change::AutoContrast, 1.0, [200.0, 100.0, 50.0]);
        near(Change::Equalize, 1.0, [200.0, 100.0, 50.0]);
    }
}
