//! Tables in Apache Parquet files (<https://parquet.apache.org/docs/file-format/>), as pyarrow, pandas and Polars write
//! them: uncompressed or compressed with Snappy, gzip, LZ4 or, with the feature `parquet-zstd`, Zstandard.

use super::columns::TableOptions;
use super::feature;
use super::labels::{Texts, classify};
use super::layout::{self, Refusal};
use crate::{Error, Result, TableDataset};
use ::parquet::basic::{ConvertedType, LogicalType, Type};
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::DataType;
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use ::parquet::schema::types::ColumnDescriptor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use taper_backend::files;

/// The number of rows that are decoded at a time.
const BATCH: usize = 1024;

/// Reads the table in the Parquet file at `path`: one column of labels (integers, bool or texts), all others numbers.
///
/// Memory: 4 bytes for each value, and the largest decompressed column. For a file of N bytes this is at most
/// 64 MiB + 16 KiB · N; a file whose metadata claim more is refused before it is decoded.
///
/// # Errors
/// When the file is damaged, uses another compression, has nested columns or no rows; when the label column is missing;
/// when a value is missing, no number, or not finite in f32; when a label is none of the classes. The text names the
/// row (from 0) and the column.
pub fn read_parquet(path: impl AsRef<Path>, options: &TableOptions) -> Result<TableDataset> {
    let path = path.as_ref();
    let file = files::open(path).map_err(Error::io("open", path))?;
    read(file, path, options)
}

/// Decodes the table in `source`, the content of the file at `path`.
pub(crate) fn read<R: ChunkReader + 'static>(source: R, path: &Path, options: &TableOptions) -> Result<TableDataset> {
    // The parquet crate panics on some damaged files (version 60: negative offsets, indices out of range). None of its
    // state is used after a panic.
    catch_unwind(AssertUnwindSafe(|| read_or_panic(source, path, options)))
        .unwrap_or_else(|panic| Err(Error::decoder(path, "Parquet", &*panic)))
}

fn read_or_panic<R: ChunkReader + 'static>(source: R, path: &Path, options: &TableOptions) -> Result<TableDataset> {
    let unreadable =
        |detail: String| Error::format(path, "file", format!("not a Parquet file that can be read: {detail}"));
    let damaged = |error: ParquetError| unreadable(error.to_string());
    let bytes = |at: u64, count: u64| {
        let found = usize::try_from(count).map_err(|error| error.to_string())?;
        source.get_bytes(at, found).map(|bytes| bytes.to_vec()).map_err(|error| error.to_string())
    };
    layout::check(source.len(), &bytes).map_err(|wrong| match wrong {
        Refusal::Damaged(detail) => unreadable(detail),
        Refusal::Unsupported(detail) => Error::format(path, "file", detail),
    })?;
    let reader = SerializedFileReader::new(source).map_err(damaged)?;
    let columns = reader.metadata().file_metadata().schema_descr().columns().to_vec();
    let names: Vec<String> = columns.iter().map(|column| column.name().to_string()).collect();
    let label = options.label.find(&names, path)?;
    let kinds = columns.iter().map(|column| ColumnKind::of(column)).collect::<Vec<_>>();
    for (place, (kind, column)) in kinds.iter().zip(&columns).enumerate() {
        let fits = match kind {
            ColumnKind::Whole | ColumnKind::Unsigned => true,
            ColumnKind::Float | ColumnKind::F16 => place != label,
            ColumnKind::Text => place == label,
            ColumnKind::Other => false,
        };
        if !fits {
            let expected = if place == label { "integers or texts" } else { "numbers" };
            let detail = format!("expected {expected}, found {}", named(column));
            return Err(Error::format(path, format!("column `{}`", names[place]), detail));
        }
    }
    let groups = (0..reader.num_row_groups()).map(|group| reader.get_row_group(group).map_err(damaged));
    let groups = groups.collect::<Result<Vec<_>>>()?;
    // layout::check has bounded the sum.
    let rows = groups.iter().map(|group| usize::try_from(group.metadata().num_rows()).unwrap_or(0)).sum::<usize>();
    if rows == 0 {
        return Err(Error::format(path, "file", "expected at least one row, found none"));
    }
    let features = names.len() - 1;
    let (mut values, mut texts) = (vec![0.0; rows * features], Texts::default());
    let mut first = 0;
    for group in &groups {
        let count = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        for (place, &kind) in kinds.iter().enumerate() {
            let column = ColumnChunk { name: &names[place], kind, first, count, path };
            let reader = group.get_column_reader(place).map_err(damaged)?;
            if place == label {
                column.labels(reader, &mut texts)?;
            } else {
                // The table is row-major and leaves the label column out.
                let place = place - usize::from(place > label);
                column.features(reader, |row, value| values[row * features + place] = value)?;
            }
        }
        first += count;
    }
    let at = |row: usize| format!("row {row}, column `{}`", names[label]);
    let (labels, classes) = classify(&texts, options.classes.as_deref(), path, at)?;
    let mut names = names;
    names.remove(label);
    TableDataset::new(values, names, labels, classes)
}

/// The meaning of a column's values, by its logical type or, without one, by its physical type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ColumnKind {
    /// Signed integers, or bool.
    Whole,
    /// Unsigned integers.
    Unsigned,
    /// Floating-point numbers of 4 or 8 bytes.
    Float,
    /// Floating-point numbers of 2 bytes.
    F16,
    /// Texts in UTF-8.
    Text,
    /// Unsupported: dates, decimals, bytes.
    Other,
}

impl ColumnKind {
    fn of(column: &ColumnDescriptor) -> Self {
        let (logical, converted) = (column.logical_type_ref(), column.converted_type());
        let unsigned = matches!(
            converted,
            ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64
        );
        match (column.physical_type(), logical) {
            (Type::FLOAT | Type::DOUBLE, None) => Self::Float,
            (Type::BOOLEAN, None) => Self::Whole,
            (Type::INT32 | Type::INT64, Some(LogicalType::Integer(int))) if int.is_signed => Self::Whole,
            (Type::INT32 | Type::INT64, Some(LogicalType::Integer(_))) => Self::Unsigned,
            (Type::INT32 | Type::INT64, None) if unsigned => Self::Unsigned,
            (Type::INT32 | Type::INT64, None) => match converted {
                ConvertedType::NONE
                | ConvertedType::INT_8
                | ConvertedType::INT_16
                | ConvertedType::INT_32
                | ConvertedType::INT_64 => Self::Whole,
                _ => Self::Other,
            },
            (Type::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Float16)) if column.type_length() == 2 => Self::F16,
            (Type::BYTE_ARRAY, Some(LogicalType::String | LogicalType::Enum | LogicalType::Json)) => Self::Text,
            (Type::BYTE_ARRAY, None) => match converted {
                ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON => Self::Text,
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }
}

/// The type of a column in Parquet's terms, for errors.
fn named(column: &ColumnDescriptor) -> String {
    match (column.logical_type_ref(), column.converted_type()) {
        (Some(logical), _) => format!("{:?} ({})", logical, column.physical_type()),
        (None, ConvertedType::NONE) => column.physical_type().to_string(),
        (None, converted) => format!("{converted} ({})", column.physical_type()),
    }
}

/// One column of a row group.
struct ColumnChunk<'a> {
    name: &'a str,
    kind: ColumnKind,
    /// The index of the row group's first row in the table.
    first: usize,
    /// The number of rows of the row group.
    count: usize,
    path: &'a Path,
}

impl ColumnChunk<'_> {
    fn at(&self, row: usize) -> String {
        format!("row {row}, column `{}`", self.name)
    }

    /// Decodes a feature column: calls `put` with the index of each row and its value, which is checked to be finite.
    fn features(&self, reader: ColumnReader, mut put: impl FnMut(usize, f32)) -> Result<()> {
        let unsigned = self.kind == ColumnKind::Unsigned;
        let mut put = |row, value: f32| {
            put(row, feature(value, self.path, || self.at(row))?);
            Ok(())
        };
        match reader {
            ColumnReader::BoolColumnReader(reader) => {
                self.each(reader, "a number", |row, &value| put(row, f32::from(u8::from(value))))
            }
            ColumnReader::Int32ColumnReader(reader) => self.each(reader, "a number", |row, &value| {
                put(row, if unsigned { value as u32 as f32 } else { value as f32 })
            }),
            ColumnReader::Int64ColumnReader(reader) => self.each(reader, "a number", |row, &value| {
                put(row, if unsigned { value as u64 as f32 } else { value as f32 })
            }),
            ColumnReader::FloatColumnReader(reader) => self.each(reader, "a number", |row, &value| put(row, value)),
            ColumnReader::DoubleColumnReader(reader) => {
                self.each(reader, "a number", |row, &value| put(row, value as f32))
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => self.each(reader, "a number", |row, value| {
                let value = match value.data() {
                    [a, b] => half::f16::from_le_bytes([*a, *b]).to_f32(),
                    _ => f32::NAN, // refused by `put`; only a damaged file has another length
                };
                put(row, value)
            }),
            _ => Err(Error::format(self.path, format!("column `{}`", self.name), "expected numbers")),
        }
    }

    /// Decodes a label column: appends the label of each row, as a text, to `texts`.
    fn labels(&self, reader: ColumnReader, texts: &mut Texts) -> Result<()> {
        let unsigned = self.kind == ColumnKind::Unsigned;
        let mut push = |row, text: &str| texts.push(text, self.path, || self.at(row));
        let expected = "an integer or a text";
        match reader {
            ColumnReader::BoolColumnReader(reader) => {
                self.each(reader, expected, |row, &value| push(row, if value { "1" } else { "0" }))
            }
            ColumnReader::Int32ColumnReader(reader) => self.each(reader, expected, |row, &value| {
                push(row, &if unsigned { (value as u32).to_string() } else { value.to_string() })
            }),
            ColumnReader::Int64ColumnReader(reader) => self.each(reader, expected, |row, &value| {
                push(row, &if unsigned { (value as u64).to_string() } else { value.to_string() })
            }),
            ColumnReader::ByteArrayColumnReader(reader) => self.each(reader, expected, |row, value| {
                let text = std::str::from_utf8(value.data()).map_err(|_| {
                    Error::format(self.path, self.at(row), "expected a text in UTF-8, found other bytes")
                })?;
                push(row, text)
            }),
            _ => Err(Error::format(self.path, format!("column `{}`", self.name), "expected integers or texts")),
        }
    }

    /// Calls `each` with the index and the value of each row. A missing value is an error, which says that `expected`
    /// was expected.
    fn each<T: DataType>(
        &self,
        mut reader: ColumnReaderImpl<T>,
        expected: &str,
        mut each: impl FnMut(usize, &T::T) -> Result<()>,
    ) -> Result<()> {
        let damaged =
            |detail: String| Error::format(self.path, "file", format!("damaged: column `{}`: {detail}", self.name));
        let (mut values, mut levels) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
        let mut done = 0;
        while done < self.count {
            values.clear();
            levels.clear();
            let wanted = BATCH.min(self.count - done);
            let (read, found, _) = reader
                .read_records(wanted, Some(&mut levels), None, &mut values)
                .map_err(|error| damaged(error.to_string()))?;
            if read == 0 {
                return Err(damaged(format!("it ends after {done} of {} rows", self.count)));
            }
            if found < read {
                let missing = levels.iter().position(|&level| level == 0).unwrap_or(found);
                let detail = format!("expected {expected}, found a missing value");
                return Err(Error::format(self.path, self.at(self.first + done + missing), detail));
            }
            for (row, value) in values[..read].iter().enumerate() {
                each(self.first + done + row, value)?;
            }
            done += read;
        }
        Ok(())
    }
}
