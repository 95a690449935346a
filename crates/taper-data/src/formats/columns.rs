//! The columns of a table: one holds the labels, all others hold features.

use super::text::{listed, same};
use crate::{Error, Result};
use std::path::Path;

/// A column of a table, chosen by its name or by its index from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// The column of this name.
    Name(String),
    /// The column at this index, from 0.
    Index(usize),
}

impl From<&str> for Column {
    fn from(name: &str) -> Self {
        Self::Name(name.into())
    }
}

impl From<usize> for Column {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl Column {
    /// The index of the column among the names `columns`. `path` is named in errors.
    pub(super) fn find(&self, columns: &[String], path: &Path) -> Result<usize> {
        let places: Vec<usize> = match self {
            Self::Index(index) => (*index < columns.len()).then_some(*index).into_iter().collect(),
            Self::Name(name) => (0..columns.len()).filter(|&i| same(&columns[i], name)).collect(),
        };
        let wanted = match self {
            Self::Index(index) => format!("a column {index} (from 0)"),
            Self::Name(name) => format!("one column `{name}`"),
        };
        match places[..] {
            [place] if columns.len() > 1 => Ok(place),
            [_] => Err(Error::format(path, "columns", "expected features beside the label, found the label alone")),
            _ => {
                let (count, names) = (columns.len(), listed(columns));
                Err(Error::format(path, "columns", format!("expected {wanted}, found {count} columns: {names}")))
            }
        }
    }
}

/// The roles of a table's columns, and the names of its classes.
///
/// Memory: the labels and classes of a column of N bytes take at most 8 MiB + 64 N, beside the classes that are given
/// here. The limits that `read_csv` and `read_parquet` state are for the whole file, its labels and classes included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableOptions {
    /// The column that holds the labels. All other columns are features.
    pub label: Column,
    /// The names of the classes in the order of their labels, for example the training split's for the test split.
    /// With `None` they are found in the column: if every label is a whole number, label `n` is class `n`; otherwise
    /// the classes are the distinct texts in the order of their characters, and a number that is not whole is an
    /// error. At most 65,536 classes, with names of at most 1024 bytes.
    pub classes: Option<Vec<String>>,
}

impl TableOptions {
    /// Options for labels in column `label` and classes that are found in that column.
    pub fn new(label: impl Into<Column>) -> Self {
        Self { label: label.into(), classes: None }
    }
}
