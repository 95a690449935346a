//! The decoders as functions of bytes in memory, for fuzzing: the `fuzz/` folder and the tests of damaged files call
//! them. This module is not part of the crate's stable interface.

use crate::Batch;
use crate::datasets::{cifar, idx};
use crate::download::{http, unpack};
use crate::formats::{npy, npz, picture};
use crate::manifest::Archive;
use crate::{
    CsvOptions, Dataset, Error, FolderOptions, Manifest, Result, Table, TableDataset, TableOptions, TableSource,
    TableSpec,
};
use std::io::Cursor;
use std::path::Path;
use taper_backend::HostData;

fn path() -> &'static Path {
    Path::new("bytes")
}

/// Decodes a PNG, JPEG or WebP image to its shape `[C, H, W]` and its planes, with `channels` 3 (RGB) or 1 (grey),
/// scaled to `size` (height, width) if one is given. Memory: at most 1 GiB.
///
/// # Errors
/// As [`read_image_folder`](crate::read_image_folder).
pub fn picture(bytes: &[u8], channels: usize, size: Option<[usize; 2]>) -> Result<([usize; 3], Vec<u8>)> {
    let options = FolderOptions { channels, size };
    options.check()?;
    let picture = picture::DecodedImage::decode(bytes, path(), size)?;
    let [height, width] = size.unwrap_or(picture.size());
    let mut planes = Vec::new();
    picture.append([height, width], options, path(), &mut planes)?;
    Ok(([channels, height, width], planes))
}

/// Decodes a CSV file, learns from its rows to predict the column `target`, or the first, and encodes them all, as
/// [`Table`](crate::Table) does. Returns the numbers of rows and of features.
///
/// # Errors
/// As [`TableSource::open`](crate::TableSource::open) and [`TableSpec::learn`](crate::TableSpec::learn).
///
/// # Panics
/// When a feature is not finite.
pub fn csv(bytes: &[u8], target: Option<&str>) -> Result<[usize; 2]> {
    encoded(bytes.to_vec(), target)
}

/// Decodes a table as [`read_npy`](crate::read_npy) does.
///
/// # Errors
/// As [`read_npy`](crate::read_npy).
pub fn npy(features: &[u8], labels: &[u8]) -> Result<TableDataset> {
    npy::table((path(), features), (path(), labels))
}

/// Decodes images as [`read_npy_images`](crate::read_npy_images) does, and returns their number.
///
/// # Errors
/// As [`read_npy_images`](crate::read_npy_images).
pub fn npy_images(images: &[u8], labels: &[u8]) -> Result<usize> {
    npy::pictures((path(), images), (path(), labels)).map(|data| Dataset::len(&data))
}

/// Decodes a table as [`read_npz`](crate::read_npz) does.
///
/// # Errors
/// As [`read_npz`](crate::read_npz).
pub fn npz(bytes: &[u8], features: &str, labels: &str) -> Result<TableDataset> {
    npz::table(Cursor::new(bytes), path(), features, labels)
}

/// Decodes a Parquet file as [`csv`] does a CSV file.
///
/// # Errors
/// As [`csv`], and bytes that do not begin as a Parquet file.
///
/// # Panics
/// When a feature is not finite.
pub fn parquet(bytes: &[u8], target: &str) -> Result<[usize; 2]> {
    if !bytes.starts_with(b"PAR1") {
        return Err(Error::format(path(), "file", "not a Parquet file"));
    }
    encoded(bytes.to_vec(), Some(target))
}

fn encoded(bytes: Vec<u8>, target: Option<&str>) -> Result<[usize; 2]> {
    let source = TableSource::from_bytes(bytes, path(), CsvOptions::default())?;
    let options = TableOptions::new(target.unwrap_or(&source.columns()[0]));
    let spec = TableSpec::learn(&source, &options, None)?;
    let table = Table::new(source, spec)?;
    let mut batch = Batch::default();
    for row in 0..table.len() {
        batch.clear(1);
        table.fill(0, &[row], &mut batch)?;
        let HostData::F32(features) = &batch.field("inputs")?.data else { continue };
        assert!(features.iter().all(|feature| feature.is_finite()), "row {row} is not finite");
    }
    Ok([table.len(), table.spec().width()])
}

/// Decodes the values of an IDX file of `shape`, plain or compressed with gzip. Memory: at most 1 MiB + 4 S, where S
/// is the file's uncompressed size by `shape`, or the length of `bytes` if that is more.
///
/// # Errors
/// A file that is damaged or of another shape.
pub fn idx(bytes: &[u8], compressed: bool, shape: &[usize]) -> Result<Vec<u8>> {
    idx::in_memory(bytes, compressed, shape)
}

/// Decodes records in CIFAR's layout, and returns their number. Memory for N bytes: at most 1 MiB + 4 N.
///
/// # Errors
/// When `bytes` is no whole number of records, or a label names no class.
pub fn cifar(bytes: &[u8], manifest: &Manifest) -> Result<usize> {
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    cifar::decode(path(), bytes, manifest, &mut images, &mut labels)?;
    Ok(labels.len())
}

/// Unpacks a `.tar.gz` into the folder `into`.
///
/// Memory for an archive of N bytes: at most 1 MiB + 4 N, as long as its entries have names of the usual length. Long
/// names (the tar extensions of GNU and PAX) are read into memory whole, and only the bound on all decompressed bytes,
/// `max_unpacked_bytes` and 4 KiB for each entry, limits them.
///
/// # Errors
/// An archive that is damaged or refused.
pub fn unpack(bytes: &[u8], archive: &Archive, into: &Path) -> Result<()> {
    unpack::tar_gz(bytes, path(), archive.unpacking(), into)
}

/// Parses the `Content-Range` of an HTTP response: the offset of its first byte, and the size of the whole file if
/// given. Takes no memory of its own.
pub fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    http::parse_content_range(text)
}
