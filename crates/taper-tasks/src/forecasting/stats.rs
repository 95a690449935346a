//! What is fitted to the part of a series that is learned from, before any training.

use crate::metrics::naive_error;
use serde::{Deserialize, Serialize};
use taper_train::Result;

/// By what a series is standardised, and what its errors are measured in: all of the values that are learned from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SeriesStats {
    /// The mean.
    pub mean: f64,
    /// The standard deviation; 1 if all values are equal.
    pub std: f64,
    /// Steps of a season.
    pub season: usize,
    /// The mean absolute error of the seasonal naive forecast one step ahead, the unit of the MASE; 0 if the values repeat
    /// themselves exactly.
    pub scale: f64,
}

impl SeriesStats {
    /// Those of `learned`, with seasons of `season` steps.
    ///
    /// # Errors
    /// A season that is not shorter than the values.
    pub fn learn(learned: &[f64], season: usize) -> Result<Self> {
        let scale = naive_error(learned, season)?;
        let n = learned.len() as f64;
        let mean = learned.iter().sum::<f64>() / n;
        let std = (learned.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
        // Of equal values the sum of squares may be a little over 0.
        let std = if std > 1e-12 * mean.abs() { std } else { 1.0 };
        Ok(Self { mean, std, season, scale })
    }

    /// `value` standardised.
    pub fn standard(&self, value: f64) -> f32 {
        ((value - self.mean) / self.std) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_standardised_by_their_own_mean_and_spread() {
        let stats = SeriesStats::learn(&[1.0, 3.0, 2.0, 6.0], 2).unwrap();
        assert_eq!(stats, SeriesStats { mean: 3.0, std: 3.5_f64.sqrt(), season: 2, scale: 2.0 });
        assert_eq!(stats.standard(3.0), 0.0);
        let flat = SeriesStats::learn(&[0.1; 7], 1).unwrap();
        assert_eq!((flat.std, flat.scale), (1.0, 0.0));
        let text = SeriesStats::learn(&[1.0, 2.0], 2).unwrap_err().to_string();
        assert_eq!(text, "mase: expected a season of 1 to 1 steps, found 2");
    }
}
