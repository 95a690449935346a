//! Verification: whether two samples are of one class, by the score of the pair. A pair counts as the same where its score
//! reaches a threshold.

use super::auc;
use super::input::{finite, lengths, wrong};
use taper_train::Result;

/// What the scores of pairs are worth, of which some are the same and some are not.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification {
    /// The area under the ROC curve: the probability that a pair of the same scores higher than another, ties counting half.
    pub auc: f64,
    /// The largest accuracy at any threshold. The threshold is chosen on these very pairs, so that it is a little too good.
    pub accuracy: f64,
    /// The threshold of that accuracy: the lowest score that counts as the same. Of several the highest.
    pub threshold: f64,
    /// `(true, false)` accepts at each threshold, from the highest down, as fractions of the pairs of that kind.
    curve: Vec<(f64, f64)>,
}

impl Verification {
    /// Of pairs with the scores `scores`, higher for the same, of which `same` says whether they are.
    ///
    /// # Errors
    /// Lists of different lengths, a score that is not finite, and pairs that are all the same, or all different.
    pub fn new<T: Copy + Into<f64>>(same: &[bool], scores: &[T]) -> Result<Self> {
        const METRIC: &str = "verification";
        lengths(METRIC, "scores", scores.len(), same.len())?;
        let scores = finite(METRIC, "score", scores)?;
        let classes: Vec<i64> = same.iter().map(|&same| same.into()).collect();
        let Some(auc) = auc(&classes, &scores)? else {
            let kind = if same.contains(&true) { "the same" } else { "different" };
            let detail = format!("expected pairs of the same and of different classes, found {kind} alone");
            return Err(wrong(METRIC, detail));
        };
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let positives = same.iter().filter(|&&same| same).count() as f64;
        let negatives = same.len() as f64 - positives;
        let (mut accepted, mut best) = ([0.0, 0.0], (negatives, f64::INFINITY));
        let mut curve = vec![(0.0, 0.0)];
        for equal in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
            let same = equal.iter().filter(|&&pair| same[pair]).count();
            accepted = [accepted[0] + same as f64, accepted[1] + (equal.len() - same) as f64];
            curve.push((accepted[0] / positives, accepted[1] / negatives));
            let right = accepted[0] + negatives - accepted[1];
            if right > best.0 {
                best = (right, scores[equal[0]]);
            }
        }
        Ok(Self { auc, accuracy: best.0 / same.len() as f64, threshold: best.1, curve })
    }

    /// The ROC curve: `(false, true)` accepts, as fractions of the pairs of that kind, from (0, 0) to (1, 1).
    pub fn curve(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.curve.iter().map(|&(same, others)| (others, same))
    }

    /// The largest part of the pairs of the same that is accepted where at most the part `far` of the others is (TAR at FAR).
    pub fn true_accepts_at(&self, far: f64) -> f64 {
        self.curve.iter().take_while(|(_, others)| *others <= far).map(|(same, _)| *same).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_a_score() {
        let found = Verification::new(&[true, true, false, true, false], &[0.9, 0.8, 0.7, 0.6, 0.1]).unwrap();
        assert!((found.auc - 5.0 / 6.0).abs() < 1e-12);
        assert_eq!((found.accuracy, found.threshold), (0.8, 0.8));
        assert_eq!(found.true_accepts_at(0.0), 2.0 / 3.0);
        assert_eq!(found.true_accepts_at(0.49), 2.0 / 3.0);
        assert_eq!(found.true_accepts_at(0.5), 1.0);
        // Nothing is better than to call all of them different.
        let found = Verification::new(&[true, false, false], &[0.1, 0.5, 0.9]).unwrap();
        assert_eq!((found.auc, found.accuracy, found.threshold), (0.0, 2.0 / 3.0, f64::INFINITY));
    }

    #[test]
    fn equal_scores_are_accepted_together() {
        let found = Verification::new(&[true, false, true, false], &[1.0; 4]).unwrap();
        assert_eq!((found.auc, found.accuracy), (0.5, 0.5));
        assert_eq!(found.true_accepts_at(0.99), 0.0);
    }

    #[test]
    fn what_cannot_be_measured_is_told() {
        let told = |same: &[bool], scores: &[f64]| Verification::new(same, scores).unwrap_err().to_string();
        assert!(told(&[], &[]).contains("expected a sample at least"));
        assert!(told(&[true, true], &[0.1, 0.2]).ends_with("found the same alone"));
        assert!(told(&[false, false], &[0.1, 0.2]).ends_with("found different alone"));
        assert!(told(&[true, false], &[0.1, f64::NAN]).contains("score of sample 1: expected a finite number"));
        assert!(told(&[true, false], &[0.1]).contains("expected 2 scores"));
    }
}
