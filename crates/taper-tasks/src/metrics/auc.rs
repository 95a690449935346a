//! ROC AUC, the area under the receiver operating characteristic, by ranks: the probability that a sample of the class
//! has a higher score than a sample of the rest, ties counting half (Mann and Whitney's U over `n₊ n₋`).

use super::input::{Scored, index, lengths, some_label, wrong};
use crate::IGNORED_LABEL;
use taper_train::Result;

/// ROC AUC of two classes: `classes: [N]` of 0 and 1, and the scores `[N]` of class 1. `None` if only one of the
/// classes occurs, since the area is undefined then.
pub fn auc<T: Copy + Into<f64>>(classes: &[i64], scores: &[T]) -> Result<Option<f64>> {
    lengths("auc", "scores", scores.len(), classes.len())?;
    let scores: Vec<f64> = scores.iter().map(|&score| score.into()).collect();
    if let Some(sample) = scores.iter().position(|score| score.is_nan()) {
        return Err(wrong("auc", format_args!("score of sample {sample}: expected a number, found NaN")));
    }
    let positive = |(sample, &class): (usize, &i64)| Ok(index("auc", "class", sample, class, 2)? == 1);
    let labelled = || classes.iter().enumerate().filter(|(_, class)| **class != IGNORED_LABEL);
    some_label("auc", labelled().count(), classes.len())?;
    let positive: Vec<bool> = labelled().map(positive).collect::<Result<_>>()?;
    let scores: Vec<f64> = labelled().map(|(sample, _)| scores[sample]).collect();
    Ok(area(&positive, &scores))
}

/// ROC AUC of each class against the rest; `None` for a class that no sample has, or that all samples have.
pub fn auc_per_class<T: Copy + Into<f64>>(
    classes: &[i64],
    scores: &[T],
    num_classes: usize,
) -> Result<Vec<Option<f64>>> {
    let scored = Scored::new("auc", classes, scores, num_classes)?;
    let one = |class: usize| {
        let (positive, column): (Vec<bool>, Vec<f64>) = scored.rows().map(|(c, row)| (c == class, row[class])).unzip();
        area(&positive, &column)
    };
    Ok((0..num_classes).map(one).collect())
}

/// Macro-averaged ROC AUC: the mean of [`auc_per_class`] over the classes for which it is defined; `None` if there is
/// none. (scikit-learn's `multi_class="ovr"` gives NaN as soon as a class is absent.)
pub fn auc_macro<T: Copy + Into<f64>>(classes: &[i64], scores: &[T], num_classes: usize) -> Result<Option<f64>> {
    let areas: Vec<f64> = auc_per_class(classes, scores, num_classes)?.into_iter().flatten().collect();
    Ok((!areas.is_empty()).then(|| areas.iter().sum::<f64>() / areas.len() as f64))
}

/// `(R₊ − n₊ (n₊ + 1) / 2) / (n₊ n₋)` with the sum `R₊` of the positive samples' ranks; equal scores share their mean
/// rank.
fn area(positive: &[bool], scores: &[f64]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]));
    let (mut rank_sum, mut below) = (0.0, 0);
    for equal in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let rank = below as f64 + (equal.len() + 1) as f64 / 2.0;
        rank_sum += rank * equal.iter().filter(|&&sample| positive[sample]).count() as f64;
        below += equal.len();
    }
    let positives = positive.iter().filter(|&&positive| positive).count() as f64;
    let negatives = scores.len() as f64 - positives;
    let pairs = positives * negatives;
    (pairs > 0.0).then(|| (rank_sum - positives * (positives + 1.0) / 2.0) / pairs)
}
