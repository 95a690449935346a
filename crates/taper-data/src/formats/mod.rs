//! Readers for one's own data: pictures in folders, and tables. Each is a feature, so that a program compiles what it
//! uses.

#[cfg(any(feature = "csv", feature = "parquet"))]
pub(crate) mod columns;
#[cfg(feature = "images")]
mod container;
#[cfg(feature = "csv")]
pub(crate) mod csv;
#[cfg(feature = "images")]
pub(crate) mod folders;
#[cfg(any(feature = "csv", feature = "parquet"))]
mod labels;
#[cfg(feature = "parquet")]
mod layout;
pub(crate) mod npy;
#[cfg(feature = "npz")]
pub(crate) mod npz;
#[cfg(feature = "parquet")]
pub(crate) mod parquet;
#[cfg(feature = "images")]
pub(crate) mod picture;
#[cfg(feature = "csv")]
mod quotes;
#[cfg(any(feature = "csv", feature = "images", feature = "npz", feature = "parquet"))]
mod text;
#[cfg(feature = "parquet")]
mod thrift;

use crate::{Error, Result};
use std::path::Path;

/// `value` as a feature, which must be finite. `at` is where in the file `path` it is.
fn feature(value: f32, path: &Path, at: impl FnOnce() -> String) -> Result<f32> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(Error::format(path, at(), format!("expected a finite number (in f32), found {value}")))
}

/// Numbers of classes above this are taken for a mistake: the label's column is another one.
const MOST_CLASSES: i64 = 65_536;

/// The names `0`, `1`, … of the classes that whole-number `labels` are. `at` tells where label `row` is in `path`.
fn numbered_classes(labels: &[i64], path: &Path, at: impl Fn(usize) -> String) -> Result<Vec<String>> {
    if let Some(row) = labels.iter().position(|label| !(0..MOST_CLASSES).contains(label)) {
        let most = MOST_CLASSES - 1;
        let detail = format!("expected a class from 0 to {most}, found {}; is this the label's column?", labels[row]);
        return Err(Error::format(path, at(row), detail));
    }
    let count = labels.iter().max().map_or(0, |most| most + 1);
    Ok((0..count).map(|class| class.to_string()).collect())
}
