//! NumPy's `.npz` files: ZIP archives of `.npy` files, as `numpy.savez` and `numpy.savez_compressed` write them.

use super::npy;
use crate::{Error, Result, TableDataset};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use zip::ZipArchive;
use zip::result::ZipError;

/// Reads a table from the arrays `features` and `labels` of the `.npz` file at `path`; see
/// [`read_npy`](crate::read_npy).
///
/// # Errors
/// As [`read_npy`](crate::read_npy), and when the file has no such array; the text then lists those it has.
pub fn read_npz(path: impl AsRef<Path>, features: &str, labels: &str) -> Result<TableDataset> {
    let path = path.as_ref();
    let file = File::open(path).map_err(Error::io("open", path))?;
    let damaged = |error: ZipError| Error::format(path, "archive", format!("not a sound .npz file: {error}"));
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    let mut array = |name: &str| {
        let mut bytes = Vec::new();
        let names: Vec<String> = archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
        let entry = match archive.by_name(&format!("{name}.npy")) {
            Err(ZipError::FileNotFound) => {
                let names = names.join("`, `");
                let detail = format!("expected an array `{name}` (file `{name}.npy`), found `{names}`");
                return Err(Error::format(path, "archive", detail));
            }
            entry => entry.map_err(damaged)?,
        };
        // No more than the archive says: what is decompressed beyond it is an error of the size below.
        let size = entry.size();
        entry.take(size).read_to_end(&mut bytes).map_err(|error| damaged(ZipError::Io(error)))?;
        Ok(bytes)
    };
    let (x, y) = (array(features)?, array(labels)?);
    npy::table((&path.join(features), &x), (&path.join(labels), &y))
}
