//! Tables in Apache Parquet files (<https://parquet.apache.org/docs/file-format/>), plain or compressed with Snappy, gzip
//! or LZ4 (with the feature `parquet-zstd` Zstandard too), as pyarrow, pandas and Polars write them.

use super::columns::TableOptions;
use super::feature;
use super::labels::{Texts, classify};
use super::layout::{self, Wrong};
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

/// Rows that are decoded at a time.
const BATCH: usize = 1024;

/// Reads the table in the Parquet file at `path`: a column of labels (integers or texts), all others numbers.
///
/// Memory: 4 bytes a value, and beside the table its largest column as it is unpacked; for a file of N bytes, whatever
/// it claims, at most 64 MiB + 16 KiB · N. A file that claims more is refused before it is decoded.
///
/// # Errors
/// A file that is damaged, compressed otherwise or nested, or has no rows; a label column that is not there; a value
/// that is missing, no number, or not finite; a label that is none of the classes: the text names the row (from 0) and
/// the column.
pub fn read_parquet(path: impl AsRef<Path>, options: &TableOptions) -> Result<TableDataset> {
    let path = path.as_ref();
    let file = files::open(path).map_err(Error::io("open", path))?;
    read(file, path, options)
}

/// The table in `source`, the file at `path`.
pub(crate) fn read<R: ChunkReader + 'static>(source: R, path: &Path, options: &TableOptions) -> Result<TableDataset> {
    // The parquet crate panics on some damaged files (version 60: negative offsets, indices out of range). Nothing that
    // it was working on is used after that.
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
        Wrong::Damaged(detail) => unreadable(detail),
        Wrong::Unread(detail) => Error::format(path, "file", detail),
    })?;
    let reader = SerializedFileReader::new(source).map_err(damaged)?;
    let columns = reader.metadata().file_metadata().schema_descr().columns().to_vec();
    let names: Vec<String> = columns.iter().map(|column| column.name().to_string()).collect();
    let label = options.label.find(&names, path)?;
    let kinds = columns.iter().map(|column| Kind::of(column)).collect::<Vec<_>>();
    for (place, (kind, column)) in kinds.iter().zip(&columns).enumerate() {
        let fits = match kind {
            Kind::Whole | Kind::Unsigned => true,
            Kind::Float | Kind::F16 => place != label,
            Kind::Text => place == label,
            Kind::Other => false,
        };
        if !fits {
            let expected = if place == label { "integers or texts" } else { "numbers" };
            let detail = format!("expected {expected}, found {}", named(column));
            return Err(Error::format(path, format!("column `{}`", names[place]), detail));
        }
    }
    let groups = (0..reader.num_row_groups()).map(|group| reader.get_row_group(group).map_err(damaged));
    let groups = groups.collect::<Result<Vec<_>>>()?;
    // The sum is in bounds: layout::check.
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
            let column = Column { name: &names[place], kind, first, count, path };
            let reader = group.get_column_reader(place).map_err(damaged)?;
            if place == label {
                column.labels(reader, &mut texts)?;
            } else {
                // Row by row, without the label's column.
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

/// What a column's values mean, where their physical type does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Integers with a sign, or true and false.
    Whole,
    /// Integers without a sign.
    Unsigned,
    /// Floating-point numbers of four or eight bytes.
    Float,
    /// Floating-point numbers of two bytes.
    F16,
    Text,
    /// Dates, decimals, bytes.
    Other,
}

impl Kind {
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

/// What a column holds, in Parquet's words.
fn named(column: &ColumnDescriptor) -> String {
    match (column.logical_type_ref(), column.converted_type()) {
        (Some(logical), _) => format!("{:?} ({})", logical, column.physical_type()),
        (None, ConvertedType::NONE) => column.physical_type().to_string(),
        (None, converted) => format!("{converted} ({})", column.physical_type()),
    }
}

/// A column of a group of rows.
struct Column<'a> {
    name: &'a str,
    kind: Kind,
    /// The number of its first row in the table, and of its rows.
    first: usize,
    count: usize,
    path: &'a Path,
}

impl Column<'_> {
    fn at(&self, row: usize) -> String {
        format!("row {row}, column `{}`", self.name)
    }

    /// Tells `put` each row's number and value.
    fn features(&self, reader: ColumnReader, mut put: impl FnMut(usize, f32)) -> Result<()> {
        let unsigned = self.kind == Kind::Unsigned;
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
                    _ => f32::NAN, // refused by `put`; no file that is sound has it
                };
                put(row, value)
            }),
            _ => Err(Error::format(self.path, format!("column `{}`", self.name), "expected numbers")),
        }
    }

    /// Appends the labels of all rows to `texts`.
    fn labels(&self, reader: ColumnReader, texts: &mut Texts) -> Result<()> {
        let unsigned = self.kind == Kind::Unsigned;
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

    /// Tells `each` the number and the value of each row, none of which may be missing (`expected` says what).
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
