//! Finding and reading a dataset's files in a folder, in the layout that its manifest gives.

use super::{cifar, idx};
use crate::manifest::{Files, Layout};
use crate::{Error, Manifest, Result, Splits};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use taper_backend::files;

/// The first of these folders that holds one of the dataset's files: the manifest's `folder` inside `dir`, its `also`
/// folders inside `dir`, and, if `or_itself`, `dir` itself and `dir/raw`.
pub(crate) fn folder(dir: &Path, files: &Files, or_itself: bool) -> Option<PathBuf> {
    let is_there = |folder: &Path, name: &String| match files.layout {
        Layout::Records => folder.join(name).is_file(),
        Layout::Idx => idx::find(folder, name).is_some(),
    };
    let holds_some = |folder: &PathBuf| files.train.iter().chain(&files.test).any(|name| is_there(folder, name));
    let named = [&files.folder].into_iter().chain(&files.also).map(|name| dir.join(name));
    let itself = [dir.to_path_buf(), dir.join("raw")].into_iter().filter(|_| or_itself);
    named.chain(itself).find(holds_some)
}

/// Reads both splits from `folder`.
///
/// Memory: the images and labels of both splits, and beside them at most 1 MiB + 4 S while a file of S bytes
/// (uncompressed) is read.
///
/// # Errors
/// A file that is missing or whose size is not the manifest's, or a label that names no class.
pub(crate) fn read(folder: &Path, files: &Files, manifest: &Manifest) -> Result<Splits> {
    match files.layout {
        Layout::Records => cifar::read(folder, files, manifest),
        Layout::Idx => idx::read(folder, files, manifest),
    }
}

/// Opens the file at `path`, which must have `expected` bytes.
fn open(path: &Path, expected: u64, manifest: &Manifest) -> Result<File> {
    let file = match files::open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => {
            return Err(Error::MissingFile {
                path: path.to_path_buf(),
                expected: format!("a file of {} with {expected} bytes", manifest.title),
            });
        }
        file => file.map_err(Error::io("open", path))?,
    };
    let found = file.metadata().map_err(Error::io("read", path))?.len();
    if found != expected {
        return Err(Error::FileSize { path: path.to_path_buf(), expected, found });
    }
    Ok(file)
}

/// Reads the file at `path`, which must have `expected` bytes. Its size is checked before reading, so that a wrong file
/// is not read into memory, and again after reading.
pub(super) fn read_file(path: &Path, expected: u64, manifest: &Manifest) -> Result<Vec<u8>> {
    let file = open(path, expected, manifest)?;
    read_exactly(file, path, expected).map_err(Error::io("read", path))?
}

/// Reads `source`, which must have `expected` bytes. Reads at most `expected` + 1 bytes.
pub(super) fn read_exactly(source: impl Read, path: &Path, expected: u64) -> std::io::Result<Result<Vec<u8>>> {
    let mut bytes = Vec::new();
    let found = source.take(expected.saturating_add(1)).read_to_end(&mut bytes)? as u64;
    let fits = found == expected;
    Ok(if fits { Ok(bytes) } else { Err(Error::FileSize { path: path.to_path_buf(), expected, found }) })
}
