//! Random erasing: a random rectangle overwritten.

use super::{Augmentation, Draw, Picture, argument, in_range};
use crate::Result;
use serde::{Deserialize, Serialize};

/// Overwrites a rectangle inside the image, in all channels, with the given probability (Zhong, Zheng, Kang, Li and
/// Yang, "Random erasing data augmentation", AAAI 2020, algorithm 1). As in torchvision, the rectangle's share of the
/// area is uniform, and so is the logarithm of its aspect ratio (height / width). A rectangle that does not fit is
/// drawn again; after ten attempts the image stays unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomErasing {
    /// The probability that an image is changed, 0 to 1.
    pub probability: f64,
    /// The smallest and the largest share of the image's area: 0 < smallest ≤ largest ≤ 1.
    pub area: [f64; 2],
    /// The smallest and the largest aspect ratio (height / width): 0 < smallest ≤ largest ≤ 1000.
    pub aspect: [f64; 2],
    /// The values that the rectangle is overwritten with.
    pub value: ErasedValue,
}

/// The values that [`RandomErasing`] writes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErasedValue {
    /// Zeros: the mean colour after [`Normalize`](super::Normalize).
    #[default]
    Zero,
    /// Noise, each value uniform in [0, 1).
    Random,
}

impl Default for RandomErasing {
    fn default() -> Self {
        Self { probability: 0.5, area: [0.02, 0.33], aspect: [0.3, 3.3], value: ErasedValue::Zero }
    }
}

impl Augmentation for RandomErasing {
    fn check(&self) -> Result<()> {
        in_range("random-erasing: probability", self.probability, 0.0, 1.0)?;
        for (name, [low, high], most) in [("area", self.area, 1.0), ("aspect", self.aspect, 1e3)] {
            if !(0.0 < low && low <= high && high <= most) {
                return Err(argument(format!(
                    "random-erasing: {name}: expected 0 < low ≤ high ≤ {most}, found [{low}, {high}]"
                )));
            }
        }
        Ok(())
    }

    fn apply(&self, picture: &mut Picture<'_>, draw: &Draw) {
        if draw.key.uniform(0) >= self.probability {
            return;
        }
        let [channels, height, width] = picture.shape();
        for attempt in 0..10 {
            let number = 1 + 4 * attempt;
            let area = draw.between(number, self.area[0], self.area[1]) * (height * width) as f64;
            let aspect = draw.between(number + 1, self.aspect[0].ln(), self.aspect[1].ln()).exp();
            let (h, w) = ((area * aspect).sqrt().round() as usize, (area / aspect).sqrt().round() as usize);
            if h >= height || w >= width {
                continue;
            }
            let top = draw.key.below(number + 2, height - h + 1);
            let left = draw.key.below(number + 3, width - w + 1);
            let noise = draw.key.child("values");
            for row in (0..channels).flat_map(|c| (top..top + h).map(move |y| c * height + y)) {
                let start = row * width + left;
                for (i, value) in (start as u64..).zip(&mut picture.values_mut()[start..start + w]) {
                    *value = match self.value {
                        ErasedValue::Zero => 0.0,
                        // 24 bits: the significand of an f32.
                        ErasedValue::Random => (noise.word(i) >> 8) as f32 / (1 << 24) as f32,
                    };
                }
            }
            return;
        }
    }
}
