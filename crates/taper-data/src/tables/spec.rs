//! What was learned from the training rows of a table: enough to encode new rows as the model was trained on them.

use super::cell::Cell;
use super::encode::Encoder;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// How the rows of a table become numbers, learned from the training rows by [`TableSpec::learn`]. It is part of what a run
/// keeps, as TOML or JSON, since rows that a model is to predict must be encoded as those that it learned from.
///
/// ```
/// use taper_data::{CsvOptions, TableOptions, TableSource, TableSpec};
///
/// # fn main() -> taper_data::Result<()> {
/// let rows = b"age,town,income\n20,Bonn,low\n40,Rome,high\n,Bonn,low\n".to_vec();
/// let source = TableSource::from_bytes(rows, "people.csv", CsvOptions::default())?;
/// let spec = TableSpec::learn(&source, &TableOptions::new("income"), None)?;
/// assert_eq!(spec.features(), ["age", "age missing", "town = Bonn", "town = Rome"]);
/// let columns = ["town".to_string(), "age".into()];
/// let new = [["Rome", "20"], ["Oslo", ""]]; // a town that was not seen, and an age that is missing
/// assert_eq!(spec.encode(&columns, &new)?, [-1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSpec {
    /// What is to be predicted.
    pub target: TargetSpec,
    /// The columns that features are made of, in the order of the features.
    pub columns: Vec<ColumnSpec>,
    /// Columns that were left out although nobody asked for it, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// A column that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// The column's name.
    pub name: String,
    /// Why it is no feature.
    pub reason: String,
}

/// What is to be predicted, found in the column `name`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum TargetSpec {
    /// A class: label `i` stands for `classes[i]`.
    Classes {
        /// The column's name.
        name: String,
        /// The names of the classes, in the order of their labels: numbers by size, texts by their characters.
        classes: Vec<String>,
    },
    /// A number y, which a model predicts as (y − mean) / std.
    Number {
        /// The column's name.
        name: String,
        /// The mean over the training rows.
        mean: f64,
        /// The standard deviation over the training rows, √(Σ(y − μ)² / N).
        std: f64,
    },
}

impl TargetSpec {
    /// The column's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Classes { name, .. } | Self::Number { name, .. } => name,
        }
    }

    /// The names of the classes; none for a number.
    pub fn classes(&self) -> &[String] {
        match self {
            Self::Classes { classes, .. } => classes,
            Self::Number { .. } => &[],
        }
    }
}

/// How a column becomes features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum ColumnSpec {
    /// Numbers x, as one feature (x − mean) / std. A missing one counts as the mean.
    Number {
        /// The column's name.
        name: String,
        /// The mean over the training rows.
        mean: f64,
        /// The standard deviation over the training rows, √(Σ(x − μ)² / N); of a constant column 0, which is then only shifted.
        std: f64,
        /// Whether values were missing in the training rows. Then a second feature is 1 where one is missing, 0 elsewhere.
        missing: bool,
    },
    /// Texts, as one feature for each value, which is 1 where the column has that value and 0 elsewhere (one-hot).
    Category {
        /// The column's name.
        name: String,
        /// The values in the training rows, in the order of their characters.
        values: Vec<String>,
        /// Whether values were missing in the training rows. Then a further feature is 1 for a missing value, and for one that
        /// is not among `values`. Otherwise all features are 0 for these.
        missing: bool,
    },
}

impl ColumnSpec {
    /// The column's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Number { name, .. } | Self::Category { name, .. } => name,
        }
    }

    /// The number of features.
    pub fn width(&self) -> usize {
        match self {
            Self::Number { missing, .. } => 1 + usize::from(*missing),
            Self::Category { values, missing, .. } => values.len() + usize::from(*missing),
        }
    }
}

impl TableSpec {
    /// The number of features F: the width of the encoded rows.
    pub fn width(&self) -> usize {
        self.columns.iter().map(ColumnSpec::width).sum()
    }

    /// The names of the F features: `age`, `age missing`, `town = Bonn`.
    pub fn features(&self) -> Vec<String> {
        let of = |column: &ColumnSpec| match column {
            ColumnSpec::Number { name, missing, .. } => {
                let more = missing.then(|| format!("{name} missing"));
                [name.clone()].into_iter().chain(more).collect::<Vec<_>>()
            }
            ColumnSpec::Category { name, values, missing } => {
                let more = missing.then(|| format!("{name} missing"));
                values.iter().map(|value| format!("{name} = {value}")).chain(more).collect()
            }
        };
        self.columns.iter().flat_map(of).collect()
    }

    /// Encodes rows whose cells are the texts of `columns`, in that order: `[N, F]`, row-major. Columns that are no features
    /// are ignored, so that they may be there or not; so may the target.
    ///
    /// # Errors
    /// When a column is missing, a row has another number of cells than there are columns, or a cell of a column of numbers is
    /// a text or not finite.
    pub fn encode<S: AsRef<str>>(&self, columns: &[String], rows: &[impl AsRef<[S]>]) -> Result<Vec<f32>> {
        let encoder = Encoder::new(self, columns, Path::new("rows"))?;
        let mut features = vec![0.0; rows.len() * encoder.width()];
        for (i, (row, out)) in rows.iter().zip(features.chunks_exact_mut(encoder.width())).enumerate() {
            let cells: Vec<Cell<'_>> = row.as_ref().iter().map(|text| Cell::of(text.as_ref())).collect();
            let wrong = |column: usize, detail: String| {
                Error::format(Path::new("rows"), format!("row {i}, column `{}`", columns[column]), detail)
            };
            if cells.len() != columns.len() {
                let detail = format!("expected {} cells, found {}", columns.len(), cells.len());
                return Err(Error::format(Path::new("rows"), format!("row {i}"), detail));
            }
            encoder.encode(&cells, out, &wrong)?;
        }
        Ok(features)
    }
}
