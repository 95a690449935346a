//! The confusion matrix.

use super::input::{index, lengths, some_class, some_label};
use crate::IGNORED_LABEL;
use std::fmt;
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
    counts: Vec<u64>,
    num_classes: usize,
}

impl Confusion {
    /// The matrix of samples with the true classes `classes: [N]` and the predictions `predicted: [N]`, all below
    /// `num_classes`. Samples without a label are left out.
    pub fn new(classes: &[i64], predicted: &[i64], num_classes: usize) -> Result<Self> {
        some_class("confusion matrix", num_classes)?;
        let mut matrix = Self { counts: vec![0; num_classes * num_classes], num_classes };
        matrix.add(classes, predicted)?;
        some_label("confusion matrix", matrix.total() as usize, classes.len())?;
        Ok(matrix)
    }

    /// Adds more samples. On an error none of them is added.
    pub fn add(&mut self, classes: &[i64], predicted: &[i64]) -> Result<()> {
        lengths("confusion matrix", "predictions", predicted.len(), classes.len())?;
        let cell = |(sample, (&class, &predicted))| -> Result<usize> {
            let row = index("confusion matrix", "class", sample, class, self.num_classes)?;
            Ok(row * self.num_classes + index("confusion matrix", "prediction", sample, predicted, self.num_classes)?)
        };
        let labelled = classes.iter().zip(predicted).enumerate().filter(|(_, (class, _))| **class != IGNORED_LABEL);
        let cells: Vec<usize> = labelled.map(cell).collect::<Result<_>>()?;
        cells.into_iter().for_each(|cell| self.counts[cell] += 1);
        Ok(())
    }

    /// The number of classes.
    pub fn num_classes(&self) -> usize {
        self.num_classes
    }

    /// All counts, row-major: one row per true class.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The number of samples of `class` that were predicted as class `predicted`; 0 for classes out of range.
    pub fn count(&self, class: usize, predicted: usize) -> u64 {
        if class.max(predicted) < self.num_classes { self.counts[class * self.num_classes + predicted] } else { 0 }
    }

    /// The number of samples of `class`.
    pub fn support(&self, class: usize) -> u64 {
        (0..self.num_classes).map(|predicted| self.count(class, predicted)).sum()
    }

    /// The number of samples that were predicted as `class`.
    pub fn predicted(&self, class: usize) -> u64 {
        (0..self.num_classes).map(|of| self.count(of, class)).sum()
    }

    /// The number of samples.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The number of samples that were classified correctly.
    pub fn correct(&self) -> u64 {
        (0..self.num_classes).map(|class| self.count(class, class)).sum()
    }

    /// The fraction of samples that were classified correctly.
    pub fn accuracy(&self) -> f64 {
        self.correct() as f64 / self.total() as f64
    }

    /// The matrix as a text table with the class names; a class without a name shows its number.
    pub fn table<'a, S: AsRef<str>>(&'a self, names: &'a [S]) -> impl fmt::Display + 'a {
        let name = |class: usize| names.get(class).map_or_else(|| class.to_string(), |name| name.as_ref().to_string());
        Table { matrix: self, names: (0..self.num_classes).map(name).collect() }
    }
}

/// A text table: rows are true classes, columns are predicted classes, both by number.
impl fmt::Display for Confusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table::<&str>(&[]).fmt(f)
    }
}

struct Table<'a> {
    matrix: &'a Confusion,
    names: Vec<String>,
}

const CORNER: &str = "true \\ predicted";

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = |text: &String| text.chars().count();
        let left = self.names.iter().map(length).chain([CORNER.len()]).max().unwrap_or(0);
        let widest = self.matrix.counts.iter().max().map_or(0, |count| count.to_string().len());
        let width = self.names.iter().map(length).max().unwrap_or(0).max(widest);
        write!(f, "{CORNER:>left$}")?;
        self.names.iter().try_for_each(|name| write!(f, "  {name:>width$}"))?;
        for (name, row) in self.names.iter().zip(self.matrix.counts.chunks(self.matrix.num_classes)) {
            write!(f, "\n{name:>left$}")?;
            row.iter().try_for_each(|count| write!(f, "  {count:>width$}"))?;
        }
        Ok(())
    }
}
