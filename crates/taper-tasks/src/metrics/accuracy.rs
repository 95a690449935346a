//! Accuracy and top-k accuracy.

use super::input::{Scored, argmax, lengths, some_class, some_label, wrong};
use crate::{IGNORED_LABEL, labels};
use taper_train::Result;

/// Accuracy: `#{i : predicted_i = class_i} / N`, over the samples with a label.
pub fn accuracy(classes: &[i64], predicted: &[i64]) -> Result<f64> {
    lengths("accuracy", "predictions", predicted.len(), classes.len())?;
    let samples = labels::counted(classes);
    some_label("accuracy", samples, classes.len())?;
    let right = |(class, predicted): &(&i64, &i64)| class == predicted && **class != IGNORED_LABEL;
    Ok(classes.iter().zip(predicted).filter(right).count() as f64 / samples as f64)
}

/// The predicted class of each sample: `argmax_c scores[i, c]`, the first of equal scores. [`accuracy`] and
/// [`Confusion`](super::Confusion) take these.
pub fn predictions<T: Copy + Into<f64>>(scores: &[T], num_classes: usize) -> Result<Vec<i64>> {
    some_class("predictions", num_classes)?;
    let classes = vec![0; scores.len() / num_classes];
    let scored = Scored::new("predictions", &classes, scores, num_classes)?;
    Ok(scored.rows().map(|(_, row)| argmax(row) as i64).collect())
}

/// Top-k accuracy: the share of samples whose class is among the `k` largest scores, `1 ≤ k ≤ C`. Of equal scores,
/// those of the last classes count as the larger ones, as in scikit-learn.
pub fn top_k<T: Copy + Into<f64>>(classes: &[i64], scores: &[T], num_classes: usize, k: usize) -> Result<f64> {
    let scored = Scored::new("top-k", classes, scores, num_classes)?;
    if !(1..=num_classes).contains(&k) {
        return Err(wrong("top-k", format_args!("k: expected 1 to {num_classes}, found {k}")));
    }
    let ahead = |class: usize, row: &[f64]| {
        let later = row[class + 1..].iter().filter(|&&score| score == row[class]).count();
        row.iter().filter(|&&score| score > row[class]).count() + later
    };
    Ok(scored.mean(|class, row| f64::from(u8::from(ahead(class, row) < k))))
}
