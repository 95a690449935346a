//! Normalisation of each channel to mean 0 and standard deviation 1, and the statistics for it.

use super::{Augmentation, Draw, Picture, argument};
use crate::{ImageDataset, Result};
use serde::{Deserialize, Serialize};

/// `y[c] = (x[c] − mean[c]) / std[c]`, without randomness. [`channel_stats`] computes both for a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalize {
    /// The mean of each channel, `[C]`, finite.
    pub mean: Vec<f64>,
    /// The standard deviation of each channel, `[C]`, finite and over 0.
    pub std: Vec<f64>,
}

impl Augmentation for Normalize {
    fn check(&self) -> Result<()> {
        if let Some(mean) = self.mean.iter().find(|x| !x.is_finite()) {
            return Err(argument(format!("normalize: mean: expected finite numbers, found {mean}")));
        }
        if let Some(std) = self.std.iter().find(|x| !(x.is_finite() && **x > 0.0)) {
            return Err(argument(format!("normalize: std: expected numbers over 0, found {std}")));
        }
        Ok(())
    }

    fn check_shape(&self, [channels, _, _]: [usize; 3]) -> Result<()> {
        for (name, values) in [("mean", &self.mean), ("std", &self.std)] {
            if values.len() != channels {
                return Err(argument(format!(
                    "normalize: {name}: expected one number for each of {channels} channels, found {}",
                    values.len()
                )));
            }
        }
        Ok(())
    }

    fn apply(&self, picture: &mut Picture<'_>, _: &Draw) {
        for (channel, (&mean, &std)) in picture.channels_mut().zip(self.mean.iter().zip(&self.std)) {
            let (mean, std) = (mean as f32, std as f32);
            for value in channel {
                *value = (*value - mean) / std;
            }
        }
    }
}

/// The mean and the standard deviation of each channel, `[C]` each, over all images and pixels of a dataset, where
/// values are in [0, 1]: μ = Σx / n and σ = √(Σ(x − μ)² / n). The sums are of integers, hence exact. Zeros for an empty
/// dataset.
pub fn channel_stats(dataset: &ImageDataset) -> (Vec<f64>, Vec<f64>) {
    let [channels, height, width] = dataset.shape();
    let n = dataset.len() as u128 * (height * width) as u128;
    let scale = f64::from(dataset.max_value());
    let stats = |channel: usize| {
        let (mut sum, mut squares) = (0_u128, 0_u128);
        for plane in dataset.images().chunks_exact(height * width).skip(channel).step_by(channels) {
            sum += u128::from(plane.iter().map(|&x| u64::from(x)).sum::<u64>());
            squares += u128::from(plane.iter().map(|&x| u64::from(x) * u64::from(x)).sum::<u64>());
        }
        if n == 0 {
            return (0.0, 0.0);
        }
        let variance = (n * squares - sum * sum) as f64 / (n as f64 * n as f64);
        (sum as f64 / n as f64 / scale, variance.sqrt() / scale)
    };
    (0..channels).map(stats).unzip()
}
