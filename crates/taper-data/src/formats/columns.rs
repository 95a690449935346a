//! What the columns of a table are: one of labels, all others features.

use super::text::{listed, same};
use crate::{Error, Result};
use std::path::Path;

/// A column of a table: by its name, or by its place from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// The column of this name.
    Name(String),
    /// The column at this place.
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
    /// Its place among `columns`. `path` is for errors.
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

/// What a table's columns are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableOptions {
    /// The column of labels; all others are features.
    pub label: Column,
    /// The classes' names in the order of their labels, for example a training set's for its test set. `None` finds
    /// them: where every label is a whole number, label `n` is class `n`; otherwise the classes are the texts that
    /// occur, in the order of their characters, and a number that is not whole is an error.
    pub classes: Option<Vec<String>>,
}

impl TableOptions {
    /// The labels are in column `label`, and the classes are those that occur.
    pub fn new(label: impl Into<Column>) -> Self {
        Self { label: label.into(), classes: None }
    }
}
