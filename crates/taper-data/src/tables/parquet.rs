//! Tables in Apache Parquet files (<https://parquet.apache.org/docs/file-format/>), as pyarrow, pandas and Polars write
//! them: uncompressed or compressed with Snappy, gzip, LZ4 or, with the feature `parquet-zstd`, Zstandard.

use super::cell::Cell;
use super::survey::Survey;
use crate::formats::layout::{self, Refusal};
use crate::formats::text::shortened;
use crate::{Error, Result};
use ::parquet::basic::{ConvertedType, LogicalType, Type};
use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use ::parquet::data_type::DataType;
use ::parquet::errors::ParquetError;
use ::parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};
use ::parquet::schema::types::ColumnDescriptor;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// The number of rows that are decoded at a time.
const BATCH: usize = 1024;

/// Stands for a missing text.
const NONE: u32 = u32::MAX;

/// The rows of a Parquet file, by columns.
pub(super) struct ParquetRows {
    columns: Vec<Values>,
    rows: usize,
}

/// The values of a column.
enum Values {
    Whole(Vec<Option<i64>>),
    /// NaN where one is missing.
    Number(Vec<f64>),
    /// The different texts, and the place of each row's text among them.
    Text {
        distinct: Vec<String>,
        rows: Vec<u32>,
    },
    /// Of a type that is not read.
    Other,
}

impl ParquetRows {
    /// Reads the table in `source`, the content of the file at `path`: the names of its columns, what their cells are, and its
    /// rows.
    pub fn read_all<R: ChunkReader + 'static>(source: R, path: &Path) -> Result<(Vec<String>, Vec<Survey>, Self)> {
        // The parquet crate panics on some damaged files (version 60: negative offsets, indices out of range). None of its
        // state is used after a panic.
        catch_unwind(AssertUnwindSafe(|| read_or_panic(source, path)))
            .unwrap_or_else(|panic| Err(Error::decoder(path, "Parquet", &*panic)))
    }

    pub fn len(&self) -> usize {
        self.rows
    }

    /// Calls `each` with the place in `rows` and the cells of each of these rows, in that order.
    pub fn read(&self, rows: &[usize], each: &mut dyn FnMut(usize, &[Cell<'_>]) -> Result<()>) -> Result<()> {
        let mut cells = Vec::with_capacity(self.columns.len());
        for (i, &row) in rows.iter().enumerate() {
            cells.clear();
            cells.extend(self.columns.iter().map(|column| column.cell(row)));
            each(i, &cells)?;
        }
        Ok(())
    }
}

impl Values {
    fn cell(&self, row: usize) -> Cell<'_> {
        match self {
            Self::Whole(values) => values[row].map_or(Cell::Missing, Cell::Whole),
            Self::Number(values) if values[row].is_nan() => Cell::Missing,
            Self::Number(values) => Cell::Number(values[row]),
            Self::Text { distinct, rows } => match rows[row] {
                NONE => Cell::Missing,
                place => Cell::of(&distinct[place as usize]),
            },
            Self::Other => Cell::Missing,
        }
    }
}

fn read_or_panic<R: ChunkReader + 'static>(source: R, path: &Path) -> Result<(Vec<String>, Vec<Survey>, ParquetRows)> {
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
    let groups = (0..reader.num_row_groups()).map(|group| reader.get_row_group(group).map_err(damaged));
    let groups = groups.collect::<Result<Vec<_>>>()?;
    let of_group = |group: usize| usize::try_from(groups[group].metadata().num_rows()).unwrap_or(0);
    // layout::check has bounded the sum.
    let rows = (0..groups.len()).map(of_group).sum::<usize>();
    if rows == 0 {
        return Err(Error::format(path, "file", "expected at least one row, found none"));
    }
    let (mut all, mut surveys) = (Vec::new(), Vec::new());
    for (place, descriptor) in columns.iter().enumerate() {
        let kind = ColumnKind::of(descriptor);
        let mut survey = Survey::default();
        let mut values = match kind {
            ColumnKind::Whole => Values::Whole(Vec::with_capacity(rows)),
            ColumnKind::Unsigned | ColumnKind::Float | ColumnKind::F16 => Values::Number(Vec::with_capacity(rows)),
            ColumnKind::Bool | ColumnKind::Text => {
                Values::Text { distinct: Vec::new(), rows: Vec::with_capacity(rows) }
            }
            ColumnKind::Other => Values::Other,
        };
        if kind == ColumnKind::Other {
            survey.other = Some(named(descriptor));
        } else {
            let (mut numbers, mut first) = (HashMap::new(), 0);
            for (group, reader) in groups.iter().enumerate() {
                let column = ColumnChunk { name: &names[place], kind, first, count: of_group(group), path };
                column.read(reader.get_column_reader(place).map_err(damaged)?, &mut values, &mut numbers)?;
                first += of_group(group);
            }
            (0..rows).for_each(|row| survey.see(row as u64, values.cell(row)));
        }
        all.push(values);
        surveys.push(survey);
    }
    Ok((names, surveys, ParquetRows { columns: all, rows }))
}

/// The meaning of a column's values, by its logical type or, without one, by its physical type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ColumnKind {
    /// Signed integers.
    Whole,
    /// True and false.
    Bool,
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
            (Type::BOOLEAN, None) => Self::Bool,
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
    /// Decodes the column and appends its values to `values`. `numbers` holds the places of the texts so far.
    fn read(&self, reader: ColumnReader, values: &mut Values, numbers: &mut HashMap<String, u32>) -> Result<()> {
        let wide = |value: i32| if self.kind == ColumnKind::Unsigned { f64::from(value as u32) } else { value.into() };
        match (reader, values) {
            (ColumnReader::Int32ColumnReader(reader), Values::Whole(values)) => {
                self.append(reader, values, |_, value| Ok(value.map(|&value| value.into())))
            }
            (ColumnReader::Int64ColumnReader(reader), Values::Whole(values)) => {
                self.append(reader, values, |_, value| Ok(value.copied()))
            }
            (ColumnReader::Int32ColumnReader(reader), Values::Number(values)) => {
                self.append(reader, values, |_, value| Ok(value.map_or(f64::NAN, |&value| wide(value))))
            }
            (ColumnReader::Int64ColumnReader(reader), Values::Number(values)) => {
                self.append(reader, values, |_, value| Ok(value.map_or(f64::NAN, |&value| value as u64 as f64)))
            }
            (ColumnReader::FloatColumnReader(reader), Values::Number(values)) => {
                self.append(reader, values, |_, value| Ok(value.map_or(f64::NAN, |&value| value.into())))
            }
            (ColumnReader::DoubleColumnReader(reader), Values::Number(values)) => {
                self.append(reader, values, |_, value| Ok(value.copied().unwrap_or(f64::NAN)))
            }
            (ColumnReader::FixedLenByteArrayColumnReader(reader), Values::Number(values)) => {
                self.append(reader, values, |row, value| match value.map(|value| value.data()) {
                    None => Ok(f64::NAN),
                    Some(&[a, b]) => Ok(half::f16::from_le_bytes([a, b]).to_f64()),
                    Some(_) => Err(Error::format(self.path, self.at(row), "expected a number of two bytes")),
                })
            }
            (ColumnReader::BoolColumnReader(reader), Values::Text { distinct, rows }) => {
                self.append(reader, rows, |_, value| {
                    let text = value.map(|&value| if value { "True" } else { "False" });
                    Ok(text.map_or(NONE, |text| number(text, distinct, numbers)))
                })
            }
            (ColumnReader::ByteArrayColumnReader(reader), Values::Text { distinct, rows }) => {
                self.append(reader, rows, |row, value| {
                    let Some(value) = value else { return Ok(NONE) };
                    let text = std::str::from_utf8(value.data()).map_err(|_| {
                        Error::format(self.path, self.at(row), "expected a text in UTF-8, found other bytes")
                    })?;
                    Ok(number(text, distinct, numbers))
                })
            }
            _ => {
                let at = format!("column `{}`", shortened(self.name));
                Err(Error::format(self.path, at, "expected numbers or texts"))
            }
        }
    }

    fn at(&self, row: usize) -> String {
        format!("row {row}, column `{}`", self.name)
    }

    /// Appends `of` of the index and the value of each row, `None` where it is missing, to `all`.
    fn append<T: DataType, V>(
        &self,
        mut reader: ColumnReaderImpl<T>,
        all: &mut Vec<V>,
        mut of: impl FnMut(usize, Option<&T::T>) -> Result<V>,
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
            // A column that must not have missing values has no levels.
            let missing = |row: usize| found < read && levels.get(row) == Some(&0);
            let mut present = values.iter();
            for row in 0..read {
                let value = if missing(row) { None } else { present.next() };
                if value.is_none() && !missing(row) {
                    return Err(damaged(format!("row {} has no value", self.first + done + row)));
                }
                all.push(of(self.first + done + row, value)?);
            }
            done += read;
        }
        Ok(())
    }
}

/// The place of `text` among the different texts.
fn number(text: &str, distinct: &mut Vec<String>, numbers: &mut HashMap<String, u32>) -> u32 {
    if let Some(&number) = numbers.get(text) {
        return number;
    }
    let number = distinct.len() as u32; // layout::check has bounded the number of rows
    distinct.push(text.to_string());
    numbers.insert(text.to_string(), number);
    number
}
