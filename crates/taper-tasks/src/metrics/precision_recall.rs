//! Precision, recall and F1, per class and averaged, from a confusion matrix.
//!
//! With `TP`, `FP`, `FN` the true positives, false positives and false negatives of a class: precision `TP / (TP +
//! FP)`, recall `TP / (TP + FN)`, `F1 = 2 TP / (2 TP + FP + FN)`. `0 / 0` counts as 0, as with scikit-learn's
//! `zero_division=0`: the precision of a class that was never predicted, the recall of one that never occurs.

use super::Confusion;

/// Precision, recall and F1 of a class, or their average over classes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassScores {
    /// The fraction of the samples predicted as the class that are of it: `TP / (TP + FP)`.
    pub precision: f64,
    /// The fraction of the samples of the class that were predicted as it: `TP / (TP + FN)`.
    pub recall: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
    /// The number of samples of the class, or of all classes for an average.
    pub support: u64,
}

/// How the scores of the classes are averaged, as scikit-learn's `average`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Average {
    /// The mean over all classes, including those that do not occur.
    Macro,
    /// The scores of the counts of all classes together. With one prediction per sample, all three equal the accuracy.
    Micro,
    /// The mean over classes, weighted by their support.
    Weighted,
}

impl ClassScores {
    pub(crate) fn new(true_positives: u64, predicted: u64, support: u64) -> Self {
        let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
        Self {
            precision: share(true_positives, predicted),
            recall: share(true_positives, support),
            f1: share(2 * true_positives, predicted + support),
            support,
        }
    }
}

impl Confusion {
    /// The scores of each class.
    pub fn per_class(&self) -> Vec<ClassScores> {
        let scores = |class| ClassScores::new(self.count(class, class), self.predicted(class), self.support(class));
        (0..self.num_classes()).map(scores).collect()
    }

    /// The average of the scores over all classes.
    pub fn average(&self, average: Average) -> ClassScores {
        let mean = |weight: &dyn Fn(&ClassScores) -> f64| {
            let classes = self.per_class();
            let whole: f64 = classes.iter().map(weight).sum();
            let mean = |score: fn(&ClassScores) -> f64| {
                classes.iter().map(|class| weight(class) * score(class)).sum::<f64>() / whole
            };
            ClassScores {
                precision: mean(|class| class.precision),
                recall: mean(|class| class.recall),
                f1: mean(|class| class.f1),
                support: self.total(),
            }
        };
        match average {
            Average::Macro => mean(&|_| 1.0),
            Average::Micro => ClassScores::new(self.correct(), self.total(), self.total()),
            Average::Weighted => mean(&|class| class.support as f64),
        }
    }
}
