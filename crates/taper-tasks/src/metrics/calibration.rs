//! Calibration: confidence compared with accuracy, in bins (Guo et al. 2017, "On Calibration of Modern Neural
//! Networks", section 2).

use super::input::{Scored, argmax, wrong};
use crate::labels;
use taper_train::Result;

/// A bin of the reliability diagram: the samples whose confidence is in `(low, high]`, or `[0, high]` for the first
/// bin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bin {
    /// The lower limit, exclusive (inclusive in the first bin).
    pub low: f64,
    /// The upper limit, inclusive.
    pub high: f64,
    /// The number of samples.
    pub count: u64,
    /// Their mean confidence; 0 without samples.
    pub confidence: f64,
    /// The fraction of them that is classified correctly; 0 without samples.
    pub accuracy: f64,
}

/// The reliability diagram: `bins` bins of equal width over `[0, 1]`, a sample's confidence being its largest
/// probability. The bins are those of scikit-learn's `calibration_curve(strategy="uniform")`, with the empty ones.
pub fn calibration_bins<T: Copy + Into<f64>>(
    classes: &[i64],
    probabilities: &[T],
    num_classes: usize,
    bins: usize,
) -> Result<Vec<Bin>> {
    let scored = Scored::probabilities("calibration", classes, probabilities, num_classes)?;
    if bins == 0 {
        return Err(wrong("calibration", "bins: expected 1 at least, found 0"));
    }
    let limit = |at: usize| if at == bins { 1.0 } else { at as f64 * (1.0 / bins as f64) };
    let empty = |at| Bin { low: limit(at), high: limit(at + 1), count: 0, confidence: 0.0, accuracy: 0.0 };
    let mut bins: Vec<Bin> = (0..bins).map(empty).collect();
    for (class, row) in scored.rows() {
        let best = argmax(row);
        let at = bins.partition_point(|bin| bin.high < row[best]);
        let bin = &mut bins[at];
        bin.count += 1;
        bin.confidence += row[best];
        bin.accuracy += f64::from(u8::from(best == class));
    }
    for bin in bins.iter_mut().filter(|bin| bin.count > 0) {
        bin.confidence /= bin.count as f64;
        bin.accuracy /= bin.count as f64;
    }
    Ok(bins)
}

/// Expected calibration error: `Σ_b |B_b| / N · |accuracy(B_b) − confidence(B_b)|` over [`calibration_bins`]. 15 bins
/// are customary.
pub fn calibration_error<T: Copy + Into<f64>>(
    classes: &[i64],
    probabilities: &[T],
    num_classes: usize,
    bins: usize,
) -> Result<f64> {
    let bins = calibration_bins(classes, probabilities, num_classes, bins)?;
    let gap = |bin: &Bin| bin.count as f64 * (bin.accuracy - bin.confidence).abs();
    Ok(bins.iter().map(gap).sum::<f64>() / labels::counted(classes) as f64)
}
