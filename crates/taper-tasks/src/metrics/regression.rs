//! Metrics of regression: `targets: [N]` against `predicted: [N]`.

use super::input::{finite, lengths, wrong};
use taper_train::Result;

/// Mean absolute error: `Σ |y − ŷ| / N`.
pub fn mae<T: Copy + Into<f64>>(targets: &[T], predicted: &[T]) -> Result<f64> {
    let pairs = pairs("mae", targets, predicted)?;
    Ok(pairs.iter().map(|(y, p)| (y - p).abs()).sum::<f64>() / pairs.len() as f64)
}

/// Root of the mean squared error: `√(Σ (y − ŷ)² / N)`.
pub fn rmse<T: Copy + Into<f64>>(targets: &[T], predicted: &[T]) -> Result<f64> {
    let pairs = pairs("rmse", targets, predicted)?;
    Ok((squares(&pairs) / pairs.len() as f64).sqrt())
}

/// Coefficient of determination: `R² = 1 − Σ (y − ŷ)² / Σ (y − ȳ)²`. If all targets are equal it is 1 if all
/// predictions are right, else 0. It needs at least two samples.
pub fn r2<T: Copy + Into<f64>>(targets: &[T], predicted: &[T]) -> Result<f64> {
    let pairs = pairs("r2", targets, predicted)?;
    if pairs.len() < 2 {
        return Err(wrong("r2", "expected two samples at least, found 1"));
    }
    let mean = pairs.iter().map(|(y, _)| y).sum::<f64>() / pairs.len() as f64;
    let spread: f64 = pairs.iter().map(|(y, _)| (y - mean).powi(2)).sum();
    let squares = squares(&pairs);
    Ok(match (squares == 0.0, spread == 0.0) {
        (true, true) => 1.0,
        (false, true) => 0.0,
        _ => 1.0 - squares / spread,
    })
}

fn pairs<T: Copy + Into<f64>>(metric: &str, targets: &[T], predicted: &[T]) -> Result<Vec<(f64, f64)>> {
    lengths(metric, "predictions", predicted.len(), targets.len())?;
    let (targets, predicted) = (finite(metric, "target", targets)?, finite(metric, "prediction", predicted)?);
    Ok(targets.into_iter().zip(predicted).collect())
}

fn squares(pairs: &[(f64, f64)]) -> f64 {
    pairs.iter().map(|(y, p)| (y - p).powi(2)).sum()
}
