//! The rows of a table's file, read by their numbers.

use super::cell::Cell;
#[cfg(feature = "csv")]
use super::csv::CsvRows;
#[cfg(feature = "parquet")]
use super::parquet::ParquetRows;
use super::survey::Survey;
use crate::formats::text::{listed, same};
use crate::{Error, Result};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use taper_backend::files;

/// The number of rows that a pass over a table reads at a time.
const BLOCK: usize = 4096;

/// How a CSV file is written. Parquet files say themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvOptions {
    /// The byte between fields; no quote and no line end. `None` for the most frequent of comma, semicolon, tab and `|` in the
    /// first line.
    pub delimiter: Option<u8>,
    /// Whether the first line holds the names of the columns: true by default. Without it, the names are `0`, `1` and
    /// so on.
    pub header: bool,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self { delimiter: None, header: true }
    }
}

/// A table in a file: its columns, what their cells are, and where its rows are.
///
/// A CSV file is read once when it is opened, and then row by row when a batch asks for them, so that it may be larger than
/// memory: 8 bytes for each row stay, and at most 1000 different texts of each column. It must not change meanwhile. A
/// Parquet file is held in memory whole: 8 to 16 bytes for each number, 4 for each text and every different text once.
pub struct TableSource {
    pub(crate) path: PathBuf,
    pub(super) columns: Vec<String>,
    pub(super) surveys: Vec<Survey>,
    rows: Rows,
    checksum: String,
}

/// Where the rows are.
enum Rows {
    #[cfg(feature = "csv")]
    Csv(CsvRows),
    #[cfg(feature = "parquet")]
    Parquet(ParquetRows),
}

impl TableSource {
    /// Opens the CSV or Parquet file at `path`; Parquet is recognised by its first bytes. Every row is looked at.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, holds no row, has two columns of the same name or a row of another number of
    /// fields than the first, is not in UTF-8, or has a quote that is not closed (RFC 4180). The text names the line.
    pub fn open(path: impl AsRef<Path>, csv: CsvOptions) -> Result<Self> {
        let path = path.as_ref();
        let mut file = files::open(path).map_err(Error::io("open", path))?;
        let mut magic = [0; 4];
        let begins = read_first(&mut file, &mut magic).map_err(Error::io("read", path))?;
        if magic[..begins] == *b"PAR1" {
            return parquet(file, path);
        }
        self::csv(file, path, csv)
    }

    /// The table in `bytes`, the content of a CSV or Parquet file, as [`open`](Self::open); `name` stands for its path in
    /// errors. Memory: that of `bytes` too.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(bytes: Vec<u8>, name: impl AsRef<Path>, csv: CsvOptions) -> Result<Self> {
        if bytes.starts_with(b"PAR1") {
            return parquet_bytes(bytes, name.as_ref());
        }
        self::csv(bytes, name.as_ref(), csv)
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        match &self.rows {
            #[cfg(feature = "csv")]
            Rows::Csv(rows) => rows.len(),
            #[cfg(feature = "parquet")]
            Rows::Parquet(rows) => rows.len(),
        }
    }

    /// Whether there is no row. A table that was opened has one.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names of the columns. A column without a name is called `Unnamed: 3`, with its index from 0, as pandas does.
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// The SHA-256 of the file, in hexadecimal, as it was when it was opened.
    pub fn checksum(&self) -> &str {
        &self.checksum
    }

    /// The place of the column `name`.
    pub(crate) fn find(&self, name: &str) -> Result<usize> {
        self.columns.iter().position(|column| same(column, name)).ok_or_else(|| {
            let mut near: Vec<(f64, &String)> =
                self.columns.iter().map(|column| (strsim::jaro_winkler(name, column), column)).collect();
            near.retain(|(likeness, _)| *likeness > 0.75);
            near.sort_by(|a, b| b.0.total_cmp(&a.0));
            let near: Vec<String> = near.iter().take(3).map(|(_, column)| format!("`{column}`")).collect();
            let (count, all) = (self.columns.len(), listed(&self.columns));
            let hint = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
            let detail = format!("expected one column `{name}`, found {count} columns: {all}{hint}");
            Error::format(&self.path, "columns", detail)
        })
    }

    /// Calls `each` with the place in `rows` and the cells of each of these rows, in that order.
    pub(super) fn read(&self, rows: &[usize], each: &mut dyn FnMut(usize, &[Cell<'_>]) -> Result<()>) -> Result<()> {
        match &self.rows {
            #[cfg(feature = "csv")]
            Rows::Csv(found) => found.read(&self.path, self.columns.len(), rows, each),
            #[cfg(feature = "parquet")]
            Rows::Parquet(found) => found.read(rows, each),
        }
    }

    /// Calls `each` with the number and the cells of each row of `rows`, or of all, a block of rows in memory at a time.
    pub(crate) fn scan(
        &self,
        rows: Option<&[usize]>,
        each: &mut dyn FnMut(usize, &[Cell<'_>]) -> Result<()>,
    ) -> Result<()> {
        let count = rows.map_or(self.len(), <[usize]>::len);
        for from in (0..count).step_by(BLOCK) {
            let to = count.min(from + BLOCK);
            match rows {
                Some(rows) => self.read(&rows[from..to], &mut |i, cells| each(rows[from + i], cells))?,
                None => self.read(&(from..to).collect::<Vec<_>>(), &mut |i, cells| each(from + i, cells))?,
            }
        }
        Ok(())
    }

    /// The error that something is wrong in row `row` of column `column`.
    pub(crate) fn wrong(&self, row: usize, column: usize, detail: impl Into<String>) -> Error {
        let row = match &self.rows {
            #[cfg(feature = "csv")]
            Rows::Csv(rows) => rows.line(row),
            #[cfg(feature = "parquet")]
            Rows::Parquet(_) => format!("row {row}"),
        };
        Error::format(&self.path, format!("{row}, column `{}`", self.columns[column]), detail)
    }
}

/// Writes the numbers of rows and columns.
impl fmt::Debug for TableSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TableSource({} rows of {} columns)", self.len(), self.columns.len())
    }
}

/// Reads the first bytes of `file` into `bytes`, goes back to its beginning, and returns how many there are.
fn read_first(file: &mut std::fs::File, bytes: &mut [u8]) -> std::io::Result<usize> {
    use std::io::Seek;
    let mut found = Vec::new();
    file.take(bytes.len() as u64).read_to_end(&mut found)?;
    bytes[..found.len()].copy_from_slice(&found);
    file.rewind()?;
    Ok(found.len())
}

/// Gives columns without a name one, and checks that no two have the same.
fn named(columns: Vec<String>, path: &Path) -> Result<Vec<String>> {
    let name = |(i, name): (usize, String)| if name.is_empty() { format!("Unnamed: {i}") } else { name };
    let columns: Vec<String> = columns.into_iter().enumerate().map(name).collect();
    let mut places = std::collections::HashMap::new();
    for (i, name) in columns.iter().enumerate() {
        if let Some(first) = places.insert(crate::formats::text::normal(name).into_owned(), i) {
            let detail = format!("the columns {first} and {i} (from 0) have the same name, `{name}`; rename one");
            return Err(Error::format(path, "columns", detail));
        }
    }
    Ok(columns)
}

#[cfg(feature = "csv")]
fn csv(bytes: impl Into<super::csv::Storage>, path: &Path, options: CsvOptions) -> Result<TableSource> {
    let (columns, surveys, rows, checksum) =
        CsvRows::find(bytes.into(), path, options, &|columns| named(columns, path))?;
    Ok(TableSource { path: path.to_path_buf(), columns, surveys, rows: Rows::Csv(rows), checksum })
}

#[cfg(not(feature = "csv"))]
fn csv<T>(_: T, path: &Path, _: CsvOptions) -> Result<TableSource> {
    Err(Error::format(path, "file", "expected Parquet: CSV needs taper-data's feature `csv`"))
}

#[cfg(feature = "parquet")]
fn parquet(mut file: std::fs::File, path: &Path) -> Result<TableSource> {
    let checksum = super::checksum(&mut file).map_err(Error::io("read", path))?;
    parquet_from(file, path, checksum)
}

#[cfg(feature = "parquet")]
fn parquet_bytes(bytes: Vec<u8>, path: &Path) -> Result<TableSource> {
    let checksum = super::checksum(&mut &bytes[..]).map_err(Error::io("read", path))?;
    parquet_from(bytes::Bytes::from(bytes), path, checksum)
}

#[cfg(feature = "parquet")]
fn parquet_from<R: ::parquet::file::reader::ChunkReader + 'static>(
    source: R,
    path: &Path,
    checksum: String,
) -> Result<TableSource> {
    let (columns, surveys, rows) = ParquetRows::read_all(source, path)?;
    let columns = named(columns, path)?;
    Ok(TableSource { path: path.to_path_buf(), columns, surveys, rows: Rows::Parquet(rows), checksum })
}

#[cfg(not(feature = "parquet"))]
fn parquet<T>(_: T, path: &Path) -> Result<TableSource> {
    Err(Error::format(path, "file", "expected CSV: Parquet needs taper-data's feature `parquet`"))
}

#[cfg(not(feature = "parquet"))]
fn parquet_bytes<T>(bytes: T, path: &Path) -> Result<TableSource> {
    parquet(bytes, path)
}
