//! NumPy's `.npz` files: ZIP archives of `.npy` files, as `numpy.savez` and `numpy.savez_compressed` write them.

use super::npy;
use super::text::same;
use crate::{Error, ImageDataset, Result, TableDataset};
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use taper_backend::files;
use zip::ZipArchive;
use zip::result::ZipError;

/// The number of bytes of a member that are read first, to parse its header: the longest header of version 1, many
/// times the size that NumPy writes.
const BEGINNING: u64 = 65_536 + 10;

/// Reads a table from the arrays named `features` and `labels` in the `.npz` file at `path`, of the shapes and dtypes
/// that [`read_npy`](crate::read_npy) reads.
///
/// Memory for a file of N bytes: at most 8 MiB + 8 KiB · N, since one byte may decompress to a thousand.
///
/// # Errors
/// As [`read_npy`](crate::read_npy), and when the file has no array of such a name; the text then lists its arrays.
pub fn read_npz(path: impl AsRef<Path>, features: &str, labels: &str) -> Result<TableDataset> {
    let path = path.as_ref();
    table(open(path)?, path, features, labels)
}

/// Reads images from the arrays named `images` and `labels` in the `.npz` file at `path`, such as Keras's
/// `mnist.npz`, of the shapes and dtypes that [`read_npy_images`](crate::read_npy_images) reads. Memory: as
/// [`read_npz`].
///
/// # Errors
/// As [`read_npy_images`](crate::read_npy_images), and when the file has no array of such a name; the text then lists
/// its arrays.
pub fn read_npz_images(path: impl AsRef<Path>, images: &str, labels: &str) -> Result<ImageDataset> {
    let path = path.as_ref();
    let [x, y] = arrays(open(path)?, path, [images, labels])?;
    npy::pictures((&x.0, &x.1), (&y.0, &y.1))
}

fn open(path: &Path) -> Result<BufReader<File>> {
    files::open(path).map(BufReader::new).map_err(Error::io("open", path))
}

/// Decodes the table in `source`, the content of the archive at `path`.
pub(crate) fn table(source: impl Read + Seek, path: &Path, features: &str, labels: &str) -> Result<TableDataset> {
    let [x, y] = arrays(source, path, [features, labels])?;
    npy::table((&x.0, &x.1), (&y.0, &y.1))
}

/// Reads the arrays `names` from `source`, the archive at `path`: for each a path for errors and the bytes of its
/// member.
fn arrays(source: impl Read + Seek, path: &Path, names: [&str; 2]) -> Result<[(PathBuf, Vec<u8>); 2]> {
    let damaged = |error: ZipError| Error::format(path, "archive", format!("not a sound .npz file: {error}"));
    let mut archive = ZipArchive::new(source).map_err(damaged)?;
    let mut array = |name: &str| {
        let names: Vec<String> = archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
        let wanted = format!("{name}.npy");
        let found =
            names.iter().find(|name| **name == wanted).or_else(|| names.iter().find(|name| same(name, &wanted)));
        let mut entry = match archive.by_name(found.unwrap_or(&wanted)) {
            Err(ZipError::FileNotFound) => {
                let names = names.join("`, `");
                let detail = format!("expected an array `{name}` (file `{name}.npy`), found `{names}`");
                return Err(Error::format(path, "archive", detail));
            }
            entry => entry.map_err(damaged)?,
        };
        let (inside, mut bytes) = (path.join(name), Vec::new());
        let unsound = |error| damaged(ZipError::Io(error));
        entry.by_ref().take(BEGINNING).read_to_end(&mut bytes).map_err(unsound)?;
        // Reads one byte more than the array's header gives, whatever size the archive claims. More bytes are an
        // error, and only reading to the end of the member makes the zip crate compare the checksum.
        let rest = npy::file_bytes(&inside, &bytes)?.saturating_sub(bytes.len() as u64).saturating_add(1);
        entry.take(rest).read_to_end(&mut bytes).map_err(unsound)?;
        npy::check_whole(&inside, &bytes)?;
        Ok((inside, bytes))
    };
    Ok([array(names[0])?, array(names[1])?])
}
