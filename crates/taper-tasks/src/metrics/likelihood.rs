//! Metrics of predicted probabilities: log loss, Brier score, perplexity.

use super::input::{Scored, finite, lengths};
use taper_train::Result;

/// Log loss: the mean of `−ln p[i, class_i]`, with `p` kept within `[ε, 1 − ε]`, `ε = 2⁻⁵²`, so that it is finite.
pub fn log_loss<T: Copy + Into<f64>>(classes: &[i64], probabilities: &[T], num_classes: usize) -> Result<f64> {
    let scored = Scored::probabilities("log loss", classes, probabilities, num_classes)?;
    Ok(scored.mean(|class, row| -row[class].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()))
}

/// Brier score: the mean of `Σ_c (p[i, c] − [c = class_i])²`, from 0 to 2 (Brier 1950; scikit-learn's with
/// `scale_by_half=False`).
pub fn brier<T: Copy + Into<f64>>(classes: &[i64], probabilities: &[T], num_classes: usize) -> Result<f64> {
    let scored = Scored::probabilities("brier", classes, probabilities, num_classes)?;
    let squares = |class: usize, row: &[f64]| {
        let square = |(c, p): (usize, &f64)| (p - f64::from(u8::from(c == class))).powi(2);
        row.iter().enumerate().map(square).sum()
    };
    Ok(scored.mean(squares))
}

/// Perplexity: `exp` of the mean of the negative log-likelihoods (in nats), one per token or sample.
pub fn perplexity<T: Copy + Into<f64>>(negative_log_likelihoods: &[T]) -> Result<f64> {
    let nll = finite("perplexity", "negative log-likelihood", negative_log_likelihoods)?;
    lengths("perplexity", "negative log-likelihoods", nll.len(), nll.len())?;
    Ok((nll.iter().sum::<f64>() / nll.len() as f64).exp())
}
