//! Metrics of forecasts: `targets: [N]` against `predicted: [N]`, whatever steps and origins they are of.

use super::input::{finite, lengths, wrong};
use super::mae;
use taper_train::Result;

/// The mean pinball loss of predictions of the quantile `quantile`, above 0 and below 1: with d = y − ŷ the mean of q·d where
/// d ≥ 0, of (q − 1)·d elsewhere. It is scikit-learn's `mean_pinball_loss`.
pub fn pinball<T: Copy + Into<f64>>(targets: &[T], predicted: &[T], quantile: f64) -> Result<f64> {
    if !(quantile > 0.0 && quantile < 1.0) {
        return Err(wrong("pinball", format_args!("expected a quantile above 0 and below 1, found {quantile}")));
    }
    lengths("pinball", "predictions", predicted.len(), targets.len())?;
    let (targets, predicted) = (finite("pinball", "target", targets)?, finite("pinball", "prediction", predicted)?);
    let of = |(y, p): (&f64, &f64)| (quantile * (y - p)).max((quantile - 1.0) * (y - p));
    Ok(targets.iter().zip(&predicted).map(of).sum::<f64>() / targets.len() as f64)
}

/// The share of targets within a band, its ends included.
pub fn coverage<T: Copy + Into<f64>>(targets: &[T], lower: &[T], upper: &[T]) -> Result<f64> {
    for (what, values) in [("lower ends", lower), ("upper ends", upper)] {
        lengths("coverage", what, values.len(), targets.len())?;
    }
    let [targets, lower, upper] = [("target", targets), ("lower end", lower), ("upper end", upper)]
        .map(|(what, values)| finite("coverage", what, values));
    let (targets, lower, upper) = (targets?, lower?, upper?);
    let within = targets.iter().zip(lower.iter().zip(&upper)).filter(|(y, (low, high))| *low <= *y && *y <= *high);
    Ok(within.count() as f64 / targets.len() as f64)
}

/// The mean absolute error, on the values that were learned from, of repeating the value one season before:
/// `Σ |yₜ − yₜ₋ₘ| / (T − m)`. It is what [`mase`] is in units of.
///
/// # Errors
/// A season of 0 steps, or not shorter than the values.
pub fn naive_error<T: Copy + Into<f64>>(learned: &[T], season: usize) -> Result<f64> {
    if season == 0 || season >= learned.len() {
        let most = learned.len().saturating_sub(1);
        return Err(wrong("mase", format_args!("expected a season of 1 to {most} steps, found {season}")));
    }
    mae(&learned[season..], &learned[..learned.len() - season])
}

/// The mean absolute scaled error (R. J. Hyndman and A. B. Koehler, "Another look at measures of forecast accuracy",
/// International Journal of Forecasting 22, 2006, section 3): the mean absolute error over that of the seasonal naive
/// forecast, one step ahead, on the values `learned`. Below 1 it is better than that.
///
/// # Errors
/// A season that does not fit; values that repeat themselves exactly, for which it is not defined.
pub fn mase<T: Copy + Into<f64>>(targets: &[T], predicted: &[T], learned: &[T], season: usize) -> Result<f64> {
    let scale = naive_error(learned, season)?;
    if scale == 0.0 {
        return Err(wrong("mase", "the values that were learned from repeat themselves exactly: it is not defined"));
    }
    Ok(mae(targets, predicted)? / scale)
}
