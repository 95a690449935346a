//! Readers of the user's own data: folders by class, and tables as CSV, NumPy or Parquet files. Each but `.npy` is a cargo
//! feature, so that a program compiles only what it uses.

#[cfg(any(feature = "csv", feature = "images", feature = "parquet"))]
pub(crate) mod classes;
#[cfg(feature = "images")]
mod container;
#[cfg(feature = "images")]
pub(crate) mod folders;
#[cfg(feature = "parquet")]
pub(crate) mod layout;
pub(crate) mod npy;
#[cfg(feature = "npz")]
pub(crate) mod npz;
#[cfg(feature = "images")]
pub(crate) mod picture;
#[cfg(feature = "csv")]
pub(crate) mod quotes;
#[cfg(any(feature = "csv", feature = "images", feature = "npz", feature = "parquet"))]
pub(crate) mod text;
#[cfg(feature = "parquet")]
mod thrift;

use crate::{Error, Result};
use std::path::Path;

/// Checks that the feature `value` is finite. `at` gives its position in the file `path`, for errors.
fn feature(value: f32, path: &Path, at: impl FnOnce() -> String) -> Result<f32> {
    if value.is_finite() {
        return Ok(value);
    }
    Err(Error::format(path, at(), format!("expected a finite number (in f32), found {value}")))
}

/// The largest number of classes. More indicate that the column does not hold labels.
pub(crate) const MOST_CLASSES: i64 = 65_536;

/// The class names `0`, `1`, … for whole-number `labels`, which are checked. `at` gives the position of row `row` in
/// the file `path`, for errors.
fn numbered_classes(labels: &[i64], path: &Path, at: impl Fn(usize) -> String) -> Result<Vec<String>> {
    if let Some(row) = labels.iter().position(|label| !(0..MOST_CLASSES).contains(label)) {
        let most = MOST_CLASSES - 1;
        let detail = format!("expected a class from 0 to {most}, found {}; is this the label's column?", labels[row]);
        return Err(Error::format(path, at(row), detail));
    }
    let count = labels.iter().max().map_or(0, |most| most + 1);
    Ok((0..count).map(|class| class.to_string()).collect())
}
