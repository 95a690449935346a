//! The decoders, one function each, over bytes in memory: for the `fuzz/` folder and the tests that give them damaged
//! files by the million. No part of what this crate promises.

use crate::datasets::{cifar, idx};
use crate::download::{http, unpack};
use crate::formats::{csv, npy, npz, parquet, picture};
use crate::manifest::Archive;
use crate::{CsvOptions, Dataset, FolderOptions, Manifest, Result, TableDataset, TableOptions};
use std::io::Cursor;
use std::path::Path;

fn path() -> &'static Path {
    Path::new("bytes")
}

/// The planes of a picture, with three channels or grey, scaled if a size (height, width) is given.
///
/// # Errors
/// As [`read_image_folder`](crate::read_image_folder).
pub fn picture(bytes: &[u8], channels: usize, size: Option<[usize; 2]>) -> Result<([usize; 3], Vec<u8>)> {
    let options = FolderOptions { channels, size };
    options.check()?;
    let picture = picture::Picture::decode(bytes, path(), size)?;
    let [height, width] = size.unwrap_or(picture.size());
    let mut planes = Vec::new();
    picture.append([height, width], options, path(), &mut planes)?;
    Ok(([channels, height, width], planes))
}

/// A table, as [`read_csv`](crate::read_csv) reads it.
///
/// # Errors
/// As [`read_csv`](crate::read_csv).
pub fn csv(bytes: &[u8], options: &TableOptions) -> Result<TableDataset> {
    csv::read(bytes, path(), options, CsvOptions::default())
}

/// A table, as [`read_npy`](crate::read_npy) reads it.
///
/// # Errors
/// As [`read_npy`](crate::read_npy).
pub fn npy(features: &[u8], labels: &[u8]) -> Result<TableDataset> {
    npy::table((path(), features), (path(), labels))
}

/// How many pictures there are, as [`read_npy_images`](crate::read_npy_images) reads them.
///
/// # Errors
/// As [`read_npy_images`](crate::read_npy_images).
pub fn npy_images(images: &[u8], labels: &[u8]) -> Result<usize> {
    npy::pictures((path(), images), (path(), labels)).map(|data| Dataset::len(&data))
}

/// A table, as [`read_npz`](crate::read_npz) reads it.
///
/// # Errors
/// As [`read_npz`](crate::read_npz).
pub fn npz(bytes: &[u8], features: &str, labels: &str) -> Result<TableDataset> {
    npz::table(Cursor::new(bytes), path(), features, labels)
}

/// A table, as [`read_parquet`](crate::read_parquet) reads it.
///
/// # Errors
/// As [`read_parquet`](crate::read_parquet).
pub fn parquet(bytes: &[u8], options: &TableOptions) -> Result<TableDataset> {
    parquet::read(bytes::Bytes::copy_from_slice(bytes), path(), options)
}

/// The values of an IDX file of `shape`, plain or compressed with gzip.
///
/// # Errors
/// A file that is damaged or of another shape.
pub fn idx(bytes: &[u8], compressed: bool, shape: &[usize]) -> Result<Vec<u8>> {
    idx::in_memory(bytes, compressed, shape)
}

/// How many records of CIFAR's layout there are.
///
/// # Errors
/// A file that is no whole number of records, or a label that names no class.
pub fn cifar(bytes: &[u8], manifest: &Manifest) -> Result<usize> {
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    cifar::decode(path(), bytes, manifest, &mut images, &mut labels)?;
    Ok(labels.len())
}

/// Unpacks a `.tar.gz` into the folder `into`.
///
/// # Errors
/// An archive that is damaged or refused.
pub fn unpack(bytes: &[u8], archive: &Archive, into: &Path) -> Result<()> {
    unpack::unpack_from(bytes, path(), archive, into)
}

/// First byte and size of an HTTP answer's `Content-Range`.
pub fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    http::parse_content_range(text)
}
