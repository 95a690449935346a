//! Tables as comma-separated values (RFC 4180). A row is one line, or several lines if quoted fields contain line ends.

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

/// The dialect of a CSV file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvOptions {
    /// The byte between fields: a comma by default. Must not be a quote or a line end.
    pub delimiter: u8,
    /// Whether the first line holds the names of the columns: true by default. Without it, the names are `0`, `1` and
    /// so on.
    pub header: bool,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self { delimiter: b',', header: true }
    }
}

/// Reads the table in the CSV file at `path`: one column of labels (texts or whole numbers), all others numbers. Spaces
/// around fields and a byte order mark are ignored.
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
/// Quotes must follow RFC 4180: a field that begins with a quote ends with a quote, which the delimiter or the line's
/// end follows. A missing quote is an error, since the rows after it would be read as one text.
///
/// Memory for a file of N bytes: at most 4 MiB + 64 N.
///
/// # Errors
/// When the file cannot be read or has no rows, a quote is not closed, the label column is missing, a row has another
/// number of fields than the first, a field is empty, a feature is no finite number in f32, or a label is none of the
/// classes or, if no classes are given, a number that is not whole. The text names the line and the column.
pub fn read_csv(path: impl AsRef<Path>, options: &TableOptions, csv: CsvOptions) -> Result<TableDataset> {
    let path = path.as_ref();
    let file = files::open(path).map_err(Error::io("open", path))?;
    read(file, path, options, csv)
}

/// Decodes the table in `source`, the content of the file at `path`.
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
        // A missing or extra quote before this line is the cause of any other error in it, so it is reported first.
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

/// The [`Error`] for an error of the csv crate in the file at `path`.
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
