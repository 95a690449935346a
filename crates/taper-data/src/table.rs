//! Labelled tables of numeric features in memory, and standardisation of their columns.

use crate::{Batch, Dataset, Error, FieldSpec, Result, split};
use std::fmt;
use taper_backend::DType;

/// A dataset of labelled rows in memory: N rows of F features in f32, their N labels, and the names of features and
/// classes.
#[derive(Clone, PartialEq)]
pub struct TableDataset {
    values: Vec<f32>,
    shape: [usize; 1],
    features: Vec<String>,
    labels: Vec<i64>,
    classes: Vec<String>,
}

impl TableDataset {
    /// The table of the rows `values` (`[N, F]`, row-major) with the F `features` names and `labels` (N, each at least
    /// 0 and below the number of `classes`).
    ///
    /// # Errors
    /// When there is no feature, the lengths do not fit together, or a label names no class.
    pub fn new(values: Vec<f32>, features: Vec<String>, labels: Vec<i64>, classes: Vec<String>) -> Result<Self> {
        if features.is_empty() || labels.len().checked_mul(features.len()) != Some(values.len()) {
            return Err(Error::Argument(format!(
                "TableDataset: expected {} labels of one feature or more each, so {} values for {} features; found {}",
                labels.len(),
                labels.len().saturating_mul(features.len()),
                features.len(),
                values.len()
            )));
        }
        let table = Self { values, shape: [features.len()], features, labels, classes: Vec::new() };
        table.with_classes(classes)
    }

    /// The same rows with the class names `classes`, for example those of the training split: a test split may lack
    /// samples of the last classes.
    ///
    /// # Errors
    /// When a label names no class.
    pub fn with_classes(mut self, classes: Vec<String>) -> Result<Self> {
        let unknown = |&label: &i64| usize::try_from(label).map_or(true, |label| label >= classes.len());
        if let Some(row) = self.labels.iter().position(unknown) {
            return Err(Error::Argument(format!(
                "TableDataset: row {row} has label {}, but there are {} classes",
                self.labels[row],
                classes.len()
            )));
        }
        self.classes = classes;
        Ok(self)
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether the table is empty.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The names of the features, in the order of the columns.
    pub fn features(&self) -> &[String] {
        &self.features
    }

    /// The names of the classes, in the order of their labels.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The label of each row, `[N]`.
    pub fn labels(&self) -> &[i64] {
        &self.labels
    }

    /// The values of all rows, `[N, F]`, row-major.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The F values of row `index`, or `None` past the end.
    pub fn row(&self, index: usize) -> Option<&[f32]> {
        let size = self.features.len();
        self.values.get(index.checked_mul(size)?..)?.get(..size)
    }

    /// The table of the rows at `indices`, in that order.
    ///
    /// # Errors
    /// When an index is past the end.
    pub fn select(&self, indices: &[usize]) -> Result<Self> {
        let mut values = Vec::with_capacity(indices.len() * self.features.len());
        let mut labels = Vec::with_capacity(indices.len());
        for &index in indices {
            let row = self.row(index).ok_or_else(|| {
                Error::Argument(format!("select: index {index} is past the end: there are {} rows", self.len()))
            })?;
            values.extend_from_slice(row);
            labels.push(self.labels[index]);
        }
        Ok(Self { values, labels, shape: self.shape, features: self.features.clone(), classes: self.classes.clone() })
    }

    /// Splits into a training split and a held-out (validation) split, which are returned in this order. The held-out
    /// split has `fraction` of the rows of every class, drawn with `seed`: see [`split()`].
    ///
    /// # Errors
    /// When `fraction` is not at least 0 and below 1.
    pub fn split_off(&self, fraction: f64, seed: u64) -> Result<(Self, Self)> {
        let (train, validation) = split(&self.labels, fraction, seed)?;
        Ok((self.select(&train)?, self.select(&validation)?))
    }
}

/// The mean and the standard deviation of each feature of a table, computed by [`TableDataset::feature_stats`]. A model
/// that was trained on standardised rows needs every new row standardised by the same statistics.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureStats {
    /// The mean of each feature, `[F]`: μ = Σx / N.
    pub mean: Vec<f64>,
    /// The standard deviation of each feature, `[F]`: σ = √(Σ(x − μ)² / N). It is 0 for a constant feature.
    pub std: Vec<f64>,
}

impl TableDataset {
    /// The mean and the standard deviation of each feature over all rows, computed in f64. Zeros for an empty table.
    pub fn feature_stats(&self) -> FeatureStats {
        let n = self.len().max(1) as f64;
        let columns = self.features.len();
        let mean_of = |term: &dyn Fn(usize, f64) -> f64| {
            let mut sums = vec![0.0; columns];
            for row in self.values.chunks_exact(columns) {
                for (column, (sum, &value)) in sums.iter_mut().zip(row).enumerate() {
                    *sum += term(column, value.into());
                }
            }
            sums.into_iter().map(|sum| sum / n).collect::<Vec<f64>>()
        };
        // The sum of up to 2²⁹ equal f32 values is exact in f64, so that a constant feature has a deviation of exactly
        // 0.
        let mean = mean_of(&|_, x| x);
        let variance = mean_of(&|column, x| (x - mean[column]).powi(2));
        FeatureStats { std: variance.into_iter().map(f64::sqrt).collect(), mean }
    }

    /// The same rows standardised: (x − μ) / σ for each feature, with μ and σ from `stats`. Use the statistics of the
    /// training split for the held-out and test splits too. A feature with σ = 0 is only shifted.
    ///
    /// # Errors
    /// When `stats` has another number of features, or a result is not finite in f32.
    pub fn standardized(&self, stats: &FeatureStats) -> Result<Self> {
        let FeatureStats { mean, std } = stats;
        if mean.len() != self.features.len() || std.len() != self.features.len() {
            return Err(Error::Argument(format!(
                "standardized: expected a mean and a standard deviation for each of {} features, found {} and {}",
                self.features.len(),
                mean.len(),
                std.len()
            )));
        }
        let scaled = |(place, &value): (usize, &f32)| {
            let column = place % self.features.len();
            let by = if std[column] == 0.0 { 1.0 } else { std[column] };
            let found = ((f64::from(value) - mean[column]) / by) as f32;
            let wrong = || {
                let (row, feature) = (place / self.features.len(), &self.features[column]);
                let (mean, std) = (mean[column], std[column]);
                Error::Argument(format!(
                    "standardized: row {row}, column `{feature}`: expected a finite number (in f32), found {value} of \
                     mean {mean} and standard deviation {std}"
                ))
            };
            if found.is_finite() { Ok(found) } else { Err(wrong()) }
        };
        let values = self.values.iter().enumerate().map(scaled).collect::<Result<_>>()?;
        Ok(Self { values, ..self.clone() })
    }
}

/// Writes the numbers of rows, features and classes, without the values.
impl fmt::Debug for TableDataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (features, classes) = (self.features.len(), self.classes.len());
        write!(f, "TableDataset({} rows of {features} features, {classes} classes)", self.len())
    }
}

/// Batches have the fields `inputs`, `[N, F]` in f32, and `labels`, `[N]` in i64.
impl Dataset for TableDataset {
    fn len(&self) -> usize {
        self.len()
    }

    fn fields(&self) -> Vec<FieldSpec> {
        vec![FieldSpec::new("inputs", DType::F32, &self.shape), FieldSpec::new("labels", DType::I64, &[])]
    }

    fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> Result<()> {
        let past = |index| Error::Argument(format!("expected a row below {}, found {index}", self.len()));
        let rows = batch.f32("inputs", &[indices.len(), self.features.len()]);
        for (row, &index) in rows.chunks_exact_mut(self.features.len()).zip(indices) {
            row.copy_from_slice(self.row(index).ok_or_else(|| past(index))?);
        }
        for (label, &index) in batch.i64("labels", &[indices.len()]).iter_mut().zip(indices) {
            *label = self.labels.get(index).copied().ok_or_else(|| past(index))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, BatchLoader, LoaderOptions};
    use taper_backend::HostData;

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| name.to_string()).collect()
    }

    fn three() -> TableDataset {
        let values = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.5];
        TableDataset::new(values, strings(&["a", "b"]), vec![0, 1, 0], strings(&["x", "y"])).unwrap()
    }

    #[test]
    fn the_loader_batches_rows() {
        let options = LoaderOptions { batch_size: 2, shuffle: None, drop_last: false };
        let mut loader = BatchLoader::new(three(), options).unwrap();
        let mut batch = Batch::default();
        assert!(loader.next_into(&mut batch).unwrap() && loader.next_into(&mut batch).unwrap());
        let inputs = batch.field("inputs").unwrap();
        assert_eq!((inputs.shape.as_slice(), &inputs.data), (&[1, 2][..], &HostData::F32(vec![5.0, 6.5])));
        assert_eq!(batch.i64s("labels").unwrap(), [0]);
    }

    #[test]
    fn selects_and_splits() {
        let picked = three().select(&[2, 1]).unwrap();
        assert_eq!((picked.values(), picked.labels()), (&[5.0, 6.5, 3.0, 4.0][..], &[0, 1][..]));
        assert!(three().select(&[3]).unwrap_err().to_string().contains("index 3 is past the end: there are 3 rows"));
        let (train, validation) = three().split_off(0.4, 0).unwrap();
        assert_eq!((train.labels(), validation.labels()), (&[0, 1][..], &[0][..]));
        assert_eq!(format!("{train:?}"), "TableDataset(2 rows of 2 features, 2 classes)");
    }

    #[test]
    fn standardised_by_the_training_rows() {
        let stats = three().feature_stats();
        assert_eq!(stats.mean, [3.0, 12.5 / 3.0]);
        assert!((stats.std[0] - (8.0_f64 / 3.0).sqrt()).abs() < 1e-12);
        let found = three().standardized(&stats).unwrap();
        assert_eq!((found.labels(), found.features()), (three().labels(), three().features()));
        let again = found.feature_stats();
        assert!(again.mean.iter().all(|mean| mean.abs() < 1e-6), "{again:?}");
        assert!(again.std.iter().all(|std| (std - 1.0).abs() < 1e-6), "{again:?}");
        // Other rows by the same statistics; a constant column stays finite.
        let one = three().select(&[1]).unwrap();
        assert_eq!(one.standardized(&stats).unwrap().values(), &found.values()[2..4]);
        assert_eq!(one.standardized(&one.feature_stats()).unwrap().values(), [0.0, 0.0]);
        let same = TableDataset::new(vec![0.1; 7], strings(&["a"]), vec![0; 7], strings(&["x"])).unwrap();
        assert_eq!(same.feature_stats(), FeatureStats { mean: vec![0.1_f32.into()], std: vec![0.0] });
        assert_eq!(one.select(&[]).unwrap().feature_stats().mean, [0.0, 0.0]);
    }

    #[test]
    fn statistics_that_do_not_fit_are_said() {
        let text = |mean: &[f64], std: &[f64]| {
            let stats = FeatureStats { mean: mean.to_vec(), std: std.to_vec() };
            three().standardized(&stats).unwrap_err().to_string()
        };
        assert_eq!(
            text(&[0.0], &[1.0, 1.0]),
            "standardized: expected a mean and a standard deviation for each of 2 features, found 1 and 2"
        );
        assert!(
            text(&[0.0, 0.0], &[1.0, 1e-300]).contains("row 0, column `b`: expected a finite number (in f32), found 2")
        );
        assert!(text(&[0.0, f64::NAN], &[1.0, 1.0]).ends_with("found 2 of mean NaN and standard deviation 1"));
    }

    #[test]
    fn lengths_and_labels_are_checked() {
        let make = |values: usize, features: &[&str], label| {
            let made = TableDataset::new(vec![0.0; values], strings(features), vec![0, label], strings(&["x"]));
            made.unwrap_err().to_string()
        };
        assert!(make(3, &["a", "b"], 0).contains("so 4 values for 2 features; found 3"));
        assert!(make(0, &[], 0).contains("one feature or more"));
        assert!(make(2, &["a"], 1).contains("row 1 has label 1, but there are 1 classes"));
        assert!(make(2, &["a"], -1).contains("row 1 has label -1"));
    }
}
