//! Tables as comma-separated values (RFC 4180), one row a line, or more where quoted fields hold line ends.

use super::columns::TableOptions;
use super::feature;
use super::labels::{Texts, classify};
use super::quotes::Quotes;
use super::text::shortened;
use crate::{Error, Result, TableDataset};
use ::csv::{ErrorKind, Position, ReaderBuilder, StringRecord, Trim};
use std::io::Read;
use std::path::Path;
use taper_backend::files;

/// How a CSV file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvOptions {
    /// What stands between fields: a comma by default.
    pub delimiter: u8,
    /// Whether the first line has the columns' names, as by default. Without it, they are `0`, `1` and so on.
    pub header: bool,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self { delimiter: b',', header: true }
    }
}

/// Reads the table in the CSV file at `path`: a column of labels, all others numbers. Space around fields counts for
/// nothing, a byte order mark neither.
///
/// ```
/// use taper_data::{CsvOptions, TableOptions, read_csv};
///
/// # fn main() -> taper_data::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("flowers.csv");
/// std::fs::write(&path, "width,height,species\n1.5,2,lily\n0.5,1,daisy\n").unwrap();
/// let table = read_csv(&path, &TableOptions::new("species"), CsvOptions::default())?;
/// assert_eq!(table.row(0), Some(&[1.5, 2.0][..]));
/// assert_eq!((table.labels(), table.classes()), (&[1, 0][..], &["daisy".to_string(), "lily".into()][..]));
/// # Ok(()) }
/// ```
///
/// Quotes are as RFC 4180 has them: a field that begins with one ends with one, and after that comes the delimiter or
/// the line's end. In a file where one is missing, rows would be lost in what is taken for a text.
///
/// Memory: 4 MiB and 64 bytes for each byte of the file at most.
///
/// # Errors
/// A file that cannot be read or has no rows, a quote that is not closed, a label column that is not there, a row of another length, a field that
/// is missing or no finite number, a label that is none of the classes, or, where none are given, a number that is not
/// whole: the text names the line and the column.
pub fn read_csv(path: impl AsRef<Path>, options: &TableOptions, csv: CsvOptions) -> Result<TableDataset> {
    let path = path.as_ref();
    let file = files::open(path).map_err(Error::io("open", path))?;
    read(file, path, options, csv)
}

/// The table in `source`, the file at `path`.
pub(crate) fn read(source: impl Read, path: &Path, options: &TableOptions, csv: CsvOptions) -> Result<TableDataset> {
    if matches!(csv.delimiter, b'"' | b'\r' | b'\n') {
        let found = csv.delimiter.escape_ascii();
        return Err(Error::Argument(format!("csv: delimiter: expected no quote and no line end, found `{found}`")));
    }
    let mut builder = ReaderBuilder::new();
    let builder = builder.delimiter(csv.delimiter).has_headers(false).trim(Trim::All);
    let mut reader = builder.from_reader(Quotes::new(source, csv.delimiter));
    let mut record = StringRecord::new();
    let mut next = |record: &mut StringRecord| {
        let found = reader.read_record(record);
        // A quote too many or too few up to here is the cause of whatever else is wrong here.
        let line = reader.position().line();
        match reader.get_ref().fault().filter(|fault| fault.line <= line) {
            Some(fault) => Err(Error::format(path, format!("line {}", fault.line), fault.detail.clone())),
            None => found.map_err(|error| explain(error, path)),
        }
    };
    let empty = || Error::format(path, "file", "expected at least one row, found none");
    if !next(&mut record)? {
        return Err(empty());
    }
    let columns: Vec<String> = match csv.header {
        true => record.iter().map(String::from).collect(),
        false => (0..record.len()).map(|column| column.to_string()).collect(),
    };
    let label = options.label.find(&columns, path)?;
    if csv.header && !next(&mut record)? {
        return Err(empty());
    }
    let (mut values, mut texts, mut lines) = (Vec::new(), Texts::default(), Vec::new());
    loop {
        let line = record.position().map_or(0, Position::line);
        for (column, text) in record.iter().enumerate() {
            let at = || format!("line {line}, column `{}`", columns[column]);
            if text.is_empty() {
                let expected = if column == label { "a class" } else { "a number" };
                return Err(Error::format(path, at(), format!("missing value; expected {expected}")));
            }
            if column == label {
                texts.push(text, path, at)?;
                continue;
            }
            let value = text
                .parse()
                .map_err(|_| Error::format(path, at(), format!("expected a number, found `{}`", shortened(text))))?;
            values.push(feature(value, path, at)?);
        }
        lines.push(line);
        if !next(&mut record)? {
            break;
        }
    }
    let at = |row: usize| format!("line {}, column `{}`", lines[row], columns[label]);
    let (labels, classes) = classify(&texts, options.classes.as_deref(), path, at)?;
    let mut features = columns.clone();
    features.remove(label);
    TableDataset::new(values, features, labels, classes)
}

/// The error of the file at `path` that `csv` found.
fn explain(error: ::csv::Error, path: &Path) -> Error {
    let line = |pos: &Option<Position>| pos.as_ref().map_or("file".into(), |pos| format!("line {}", pos.line()));
    match error.into_kind() {
        ErrorKind::Io(error) => Error::io("read", path)(error),
        ErrorKind::UnequalLengths { pos, expected_len, len } => {
            Error::format(path, line(&pos), format!("expected {expected_len} fields as in the first line, found {len}"))
        }
        ErrorKind::Utf8 { pos, err } => {
            Error::format(path, line(&pos), format!("expected UTF-8, found other bytes in field {}", err.field()))
        }
        other => Error::format(path, "file", format!("{other:?}")),
    }
}
