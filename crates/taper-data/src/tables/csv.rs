//! Tables as comma-separated values (RFC 4180). A row is one line, or several lines if quoted fields contain line ends.

use super::cell::Cell;
use super::source::CsvOptions;
use super::survey::Survey;
use crate::formats::quotes::Quotes;
use crate::image::hex;
use crate::{Error, Result};
use ::csv::{ErrorKind, Position, Reader, ReaderBuilder, StringRecord, Trim};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::Path;

/// The most bytes of adjacent rows that are read at a time.
const RUN: u64 = 1 << 20;

/// The bytes of the first line that are looked at to find the delimiter.
const BEGINNING: u64 = 1 << 16;

/// The content of a CSV file.
pub(super) enum Storage {
    File(File),
    Bytes(Vec<u8>),
}

impl From<File> for Storage {
    fn from(file: File) -> Self {
        Self::File(file)
    }
}

impl From<Vec<u8>> for Storage {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl Storage {
    /// All bytes, from the beginning.
    fn reader(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::File(file) => {
                let mut file = file;
                file.rewind()?;
                Box::new(file)
            }
            Self::Bytes(bytes) => Box::new(&bytes[..]),
        })
    }

    /// Replaces `into` by the bytes from `from` to `to`. Threads may read at once.
    fn read(&self, from: u64, to: u64, into: &mut Vec<u8>) -> io::Result<()> {
        let count = usize::try_from(to - from).map_err(io::Error::other)?;
        into.clear();
        match self {
            Self::File(file) => {
                into.resize(count, 0);
                read_exactly_at(file, into, from)
            }
            Self::Bytes(bytes) => {
                let from = usize::try_from(from).map_err(io::Error::other)?;
                into.extend_from_slice(bytes.get(from..from + count).ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }
}

#[cfg(unix)]
fn read_exactly_at(file: &File, into: &mut [u8], from: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, into, from)
}

#[cfg(windows)]
fn read_exactly_at(file: &File, mut into: &mut [u8], mut from: u64) -> io::Result<()> {
    while !into.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, into, from)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => {
                into = &mut into[count..];
                from += count as u64;
            }
        }
    }
    Ok(())
}

/// The rows of a CSV file: where each begins.
pub(super) struct CsvRows {
    storage: Storage,
    /// The byte at which each row begins, and the one after the last row.
    offsets: Vec<u64>,
    delimiter: u8,
}

/// Passes bytes on, and computes their checksum.
struct Hashed<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}

impl CsvRows {
    /// Reads the table in `storage`, the content of the file at `path`, once: the names of its columns, which `named` checks,
    /// what their cells are, its rows and its checksum.
    pub fn find(
        storage: Storage,
        path: &Path,
        options: CsvOptions,
        named: &dyn Fn(Vec<String>) -> Result<Vec<String>>,
    ) -> Result<(Vec<String>, Vec<Survey>, Self, String)> {
        let delimiter = match options.delimiter {
            Some(delimiter @ (b'"' | b'\r' | b'\n')) => {
                let found = delimiter.escape_ascii();
                let detail = format!("csv: delimiter: expected no quote and no line end, found `{found}`");
                return Err(Error::Argument(detail));
            }
            Some(delimiter) => delimiter,
            None => delimiter(&storage).map_err(Error::io("read", path))?,
        };
        let (mut offsets, mut surveys, checksum, columns);
        {
            let source = storage.reader().map_err(Error::io("read", path))?;
            let mut reader = reader(Quotes::new(Hashed { inner: source, hash: Sha256::new() }, delimiter), delimiter);
            let mut record = StringRecord::new();
            let empty = || Error::format(path, "file", "expected at least one row, found none");
            if !next(&mut reader, &mut record, path)? {
                return Err(empty());
            }
            columns = named(match options.header {
                true => record.iter().map(String::from).collect(),
                false => (0..record.len()).map(|column| column.to_string()).collect(),
            })?;
            if options.header && !next(&mut reader, &mut record, path)? {
                return Err(empty());
            }
            surveys = vec![Survey::default(); columns.len()];
            offsets = Vec::new();
            loop {
                let row = offsets.len() as u64;
                offsets.push(record.position().map_or(0, Position::byte));
                for (survey, text) in surveys.iter_mut().zip(&record) {
                    survey.see(row, Cell::of(text));
                }
                if !next(&mut reader, &mut record, path)? {
                    break;
                }
            }
            offsets.push(reader.position().byte());
            offsets.shrink_to_fit();
            checksum = hex(&reader.into_inner().into_inner().hash.finalize());
        }
        Ok((columns, surveys, Self { storage, offsets, delimiter }, checksum))
    }

    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Calls `each` with the place in `rows` and the cells of each of these rows, in that order.
    pub fn read(
        &self,
        path: &Path,
        columns: usize,
        rows: &[usize],
        each: &mut dyn FnMut(usize, &[Cell<'_>]) -> Result<()>,
    ) -> Result<()> {
        let changed = || Error::format(path, "file", "has changed since it was opened: its rows are elsewhere");
        let (mut bytes, mut record) = (Vec::new(), StringRecord::new());
        let mut first = 0;
        while first < rows.len() {
            let from = *self.offsets.get(rows[first]).ok_or_else(changed)?;
            // Adjacent rows are read together.
            let mut last = first;
            while last + 1 < rows.len()
                && rows[last + 1] == rows[last] + 1
                && self.offsets.get(rows[last + 1] + 1).is_some_and(|end| end - from <= RUN)
            {
                last += 1;
            }
            let to = *self.offsets.get(rows[last] + 1).ok_or_else(changed)?;
            self.storage.read(from, to, &mut bytes).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => changed(),
                _ => Error::io("read", path)(error),
            })?;
            let mut reader = reader(&bytes[..], self.delimiter);
            for i in first..=last {
                if !reader.read_record(&mut record).map_err(|error| explain(error, path))? || record.len() != columns {
                    return Err(changed());
                }
                let cells: Vec<Cell<'_>> = record.iter().map(Cell::of).collect();
                each(i, &cells)?;
            }
            first = last + 1;
        }
        Ok(())
    }

    /// Row `row` as the line in which it begins, for errors. Counts the lines before it.
    pub fn line(&self, row: usize) -> String {
        let count = || -> io::Result<u64> {
            let (mut lines, mut at, mut bytes) = (1, 0, Vec::new());
            let end = self.offsets[row];
            while at < end {
                let to = end.min(at + RUN);
                self.storage.read(at, to, &mut bytes)?;
                lines += bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
                at = to;
            }
            // Empty lines before a row are in its bytes.
            self.storage.read(end, self.offsets[row + 1], &mut bytes)?;
            let blank = bytes.iter().take_while(|byte| byte.is_ascii_whitespace());
            Ok(lines + blank.filter(|&&byte| byte == b'\n').count() as u64)
        };
        count().map_or_else(|_| format!("row {row}"), |line| format!("line {line}"))
    }
}

fn reader<R: Read>(source: R, delimiter: u8) -> Reader<R> {
    ReaderBuilder::new().delimiter(delimiter).has_headers(false).trim(Trim::All).from_reader(source)
}

/// Reads the next row, and whether there is one.
fn next<R: Read>(reader: &mut Reader<Quotes<R>>, record: &mut StringRecord, path: &Path) -> Result<bool> {
    let found = reader.read_record(record);
    // A missing or extra quote before this line is the cause of any other error in it, so it is reported first.
    let line = reader.position().line();
    match reader.get_ref().fault().filter(|fault| fault.line <= line) {
        Some(fault) => Err(Error::format(path, format!("line {}", fault.line), fault.detail.clone())),
        None => found.map_err(|error| explain(error, path)),
    }
}

/// The delimiter that is most frequent in the first line, outside quotes; a comma if there is none.
fn delimiter(storage: &Storage) -> io::Result<u8> {
    let mut line = Vec::new();
    storage.reader()?.take(BEGINNING).read_to_end(&mut line)?;
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0), (b'|', 0)];
    for &byte in &line {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ if quoted => {}
            _ => counts.iter_mut().filter(|(delimiter, _)| *delimiter == byte).for_each(|(_, count)| *count += 1),
        }
    }
    // Of equally frequent ones the first.
    Ok(counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(delimiter, _)| *delimiter))
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
