//! The confusion matrix.

use super::input::{index, lengths, some_class, some_label};
use crate::IGNORED_LABEL;
use std::fmt;
use taper_report::Matrix;
use taper_train::Result;

/// A confusion matrix: `counts[i, j]` samples of class `i` were predicted to be of class `j`.
///
/// ```
/// use taper_tasks::metrics::Confusion;
/// let matrix = Confusion::new(&[0, 0, 1, 2, 2], &[0, 1, 1, 2, 0], 3)?;
/// assert_eq!(matrix.count(0, 1), 1);
/// assert_eq!(matrix.accuracy(), 0.6);
/// println!("{matrix}");
/// # Ok::<(), taper_train::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    /// The classes' names are their numbers.
    matrix: Matrix,
}

impl Confusion {
    /// The matrix of samples with the true classes `classes: [N]` and the predictions `predicted: [N]`, all below
    /// `num_classes`. Samples without a label are left out.
    pub fn new(classes: &[i64], predicted: &[i64], num_classes: usize) -> Result<Self> {
        some_class("confusion matrix", num_classes)?;
        let names = (0..num_classes).map(|class| class.to_string());
        let mut matrix = Self { matrix: Matrix::confusion(names, vec![0; num_classes * num_classes])? };
        matrix.add(classes, predicted)?;
        some_label("confusion matrix", matrix.total() as usize, classes.len())?;
        Ok(matrix)
    }

    /// Adds more samples. On an error none of them is added.
    pub fn add(&mut self, classes: &[i64], predicted: &[i64]) -> Result<()> {
        lengths("confusion matrix", "predictions", predicted.len(), classes.len())?;
        let cell = |(sample, (&class, &predicted))| -> Result<[usize; 2]> {
            let row = index("confusion matrix", "class", sample, class, self.num_classes())?;
            Ok([row, index("confusion matrix", "prediction", sample, predicted, self.num_classes())?])
        };
        let labelled = classes.iter().zip(predicted).enumerate().filter(|(_, (class, _))| **class != IGNORED_LABEL);
        let cells: Vec<[usize; 2]> = labelled.map(cell).collect::<Result<_>>()?;
        Ok(cells.into_iter().try_for_each(|[class, predicted]| self.matrix.add(class, predicted, 1))?)
    }

    /// The number of classes.
    pub fn num_classes(&self) -> usize {
        self.matrix.rows().len()
    }

    /// All counts, row-major: one row per true class.
    pub fn counts(&self) -> &[u64] {
        self.matrix.counts()
    }

    /// The number of samples of `class` that were predicted as class `predicted`; 0 for classes out of range.
    pub fn count(&self, class: usize, predicted: usize) -> u64 {
        self.matrix.count(class, predicted)
    }

    /// The number of samples of `class`.
    pub fn support(&self, class: usize) -> u64 {
        self.matrix.row_total(class)
    }

    /// The number of samples that were predicted as `class`.
    pub fn predicted(&self, class: usize) -> u64 {
        self.matrix.column_total(class)
    }

    /// The number of samples.
    pub fn total(&self) -> u64 {
        self.matrix.total()
    }

    /// The number of samples that were classified correctly.
    pub fn correct(&self) -> u64 {
        (0..self.num_classes()).map(|class| self.count(class, class)).sum()
    }

    /// The fraction of samples that were classified correctly.
    pub fn accuracy(&self) -> f64 {
        self.correct() as f64 / self.total() as f64
    }

    /// The matrix with the classes' names; a class without a name has its number. It prints as a text table, and is what
    /// pages and TensorBoard are given.
    pub fn named<S: AsRef<str>>(&self, names: &[S]) -> Matrix {
        self.matrix.named(|class| names.get(class).map_or_else(|| class.to_string(), |name| name.as_ref().to_string()))
    }
}

/// A text table: rows are true classes, columns are predicted classes, both by number.
impl fmt::Display for Confusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.matrix.fmt(f)
    }
}
