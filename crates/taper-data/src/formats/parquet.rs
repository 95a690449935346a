//! Tables in Apache Parquet files (<https://parquet.apache.org/docs/file-format/>), plain or compressed with Snappy, as
//! pyarrow and pandas write them.

use super::columns::TableOptions;
use super::feature;
use super::labels::classify;
use crate::{Error, Result, TableDataset};
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::Field;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use taper_backend::files;

/// Reads the table in the Parquet file at `path`: a column of labels (integers or texts), all others numbers.
///
/// For files that you trust: the decoder takes sizes in a file at their word, so that a hostile one can ask for more
/// memory than there is, which ends the process. A damaged one may do so too in a program built with
/// `panic = "abort"`.
///
/// # Errors
/// A file that is damaged or compressed otherwise, or has no rows; a label column that is not there; a value that is
/// missing, no number, or not finite; a label that is none of the classes: the text names the row (from 0) and the
/// column.
pub fn read_parquet(path: impl AsRef<Path>, options: &TableOptions) -> Result<TableDataset> {
    let path = path.as_ref();
    // The parquet crate panics on some damaged files (version 60: negative offsets, indices out of range). Nothing that
    // it was working on is used after that.
    catch_unwind(AssertUnwindSafe(|| read(path, options)))
        .unwrap_or_else(|_| Err(Error::format(path, "file", "damaged: the Parquet decoder failed on it")))
}

fn read(path: &Path, options: &TableOptions) -> Result<TableDataset> {
    let file = files::open(path).map_err(Error::io("open", path))?;
    let damaged =
        |error: ParquetError| Error::format(path, "file", format!("not a Parquet file that can be read: {error}"));
    let reader = SerializedFileReader::new(file).map_err(damaged)?;
    let fields = reader.metadata().file_metadata().schema().get_fields();
    let columns: Vec<String> = fields.iter().map(|field| field.name().to_string()).collect();
    let label = options.label.find(&columns, path)?;
    let (mut values, mut texts) = (Vec::new(), Vec::new());
    for (number, row) in reader.get_row_iter(None).map_err(damaged)?.enumerate() {
        let row = row.map_err(damaged)?;
        for (column, (name, field)) in row.get_column_iter().enumerate() {
            let at = || format!("row {number}, column `{name}`");
            let expected = |what: &str, field: &Field| {
                let found = if matches!(field, Field::Null) { "a missing value".into() } else { shortened(field) };
                Error::format(path, at(), format!("expected {what}, found {found}"))
            };
            if column == label {
                texts.push(text(field).ok_or_else(|| expected("an integer or a text", field))?);
            } else {
                let value = number_of(field).ok_or_else(|| expected("a number", field))?;
                values.push(feature(value, path, at)?);
            }
        }
    }
    if texts.is_empty() {
        return Err(Error::format(path, "file", "expected at least one row, found none"));
    }
    let at = |row: usize| format!("row {row}, column `{}`", columns[label]);
    let (labels, classes) = classify(&texts, options.classes.as_deref(), path, at)?;
    let mut features = columns.clone();
    features.remove(label);
    TableDataset::new(values, features, labels, classes)
}

/// A number, rounded to f32.
fn number_of(field: &Field) -> Option<f32> {
    Some(match *field {
        Field::Bool(value) => f32::from(u8::from(value)),
        Field::Byte(value) => value.into(),
        Field::Short(value) => value.into(),
        Field::Int(value) => value as f32,
        Field::Long(value) => value as f32,
        Field::UByte(value) => value.into(),
        Field::UShort(value) => value.into(),
        Field::UInt(value) => value as f32,
        Field::ULong(value) => value as f32,
        Field::Float16(value) => value.to_f32(),
        Field::Float(value) => value,
        Field::Double(value) => value as f32,
        _ => return None,
    })
}

/// A label, as text.
fn text(field: &Field) -> Option<String> {
    Some(match field {
        Field::Bool(value) => u8::from(*value).to_string(),
        Field::Byte(value) => value.to_string(),
        Field::Short(value) => value.to_string(),
        Field::Int(value) => value.to_string(),
        Field::Long(value) => value.to_string(),
        Field::UByte(value) => value.to_string(),
        Field::UShort(value) => value.to_string(),
        Field::UInt(value) => value.to_string(),
        Field::ULong(value) => value.to_string(),
        Field::Str(value) => value.clone(),
        _ => return None,
    })
}

/// A field that may be long, for a message.
fn shortened(field: &Field) -> String {
    field.to_string().chars().take(40).collect()
}
