//! Metrics of rankings: how far up the thing that was chosen stands among others, one row of scores a sample. The first score
//! of a row is that of the thing that was chosen; another with an equal score counts as before it, so that a model that
//! scores all alike gains nothing.

use super::input::wrong;
use taper_train::Result;

/// The place of each row's first score among all scores of the row, from 0: the number of others that are not below it.
///
/// # Errors
/// Rows of less than two scores, no row, a NaN.
pub fn ranks<T: Copy + Into<f64>>(scores: &[T], width: usize) -> Result<Vec<usize>> {
    if width < 2 || scores.is_empty() || !scores.len().is_multiple_of(width) {
        let detail =
            format_args!("expected rows of two scores or more, found {} scores in rows of {width}", scores.len());
        return Err(wrong("ranks", detail));
    }
    let of = |(sample, row): (usize, &[T])| {
        let row: Vec<f64> = row.iter().map(|&score| score.into()).collect();
        match row.iter().position(|score| score.is_nan()) {
            Some(at) => {
                Err(wrong("ranks", format_args!("score {at} of sample {sample}: expected a number, found NaN")))
            }
            None => Ok(row[1..].iter().filter(|other| **other >= row[0]).count()),
        }
    };
    scores.chunks_exact(width).enumerate().map(of).collect()
}

/// The share of samples whose thing is among the first `k` (HR@k; the recall at `k` of one thing).
pub fn hit_rate(ranks: &[usize], k: usize) -> Result<f64> {
    mean("hit rate", ranks, |rank| if rank < k { 1.0 } else { 0.0 })
}

/// The normalised discounted cumulative gain of one relevant thing at `k`, the mean over the samples: 1 / log₂(2 + rank) where
/// the thing is among the first `k`, else 0. Without equal scores it is scikit-learn's `ndcg_score`, which gives equal ones the
/// mean of their places.
pub fn ndcg(ranks: &[usize], k: usize) -> Result<f64> {
    mean("ndcg", ranks, |rank| if rank < k { 1.0 / (2.0 + rank as f64).log2() } else { 0.0 })
}

fn mean(metric: &str, ranks: &[usize], of: impl Fn(usize) -> f64) -> Result<f64> {
    if ranks.is_empty() {
        return Err(wrong(metric, "expected a sample at least, found none"));
    }
    Ok(ranks.iter().map(|&rank| of(rank)).sum::<f64>() / ranks.len() as f64)
}
