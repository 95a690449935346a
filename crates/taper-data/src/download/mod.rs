//! Downloading a dataset, as one archive or file by file. Transfers are resumed after an interruption and verified. An
//! archive is unpacked in a temporary folder, which is then renamed to its final name. If the process is killed at any
//! moment, the data are complete or absent; a partial download may remain, which the next attempt resumes.

pub(crate) mod collections;
#[cfg(test)]
mod file_by_file;
pub(crate) mod http;
pub(crate) mod published;
#[cfg(test)]
mod server;
pub(crate) mod unpack;

use crate::datasets::{Source, folder};
use crate::files::sync_folder;
use crate::manifest::{Archive, Download, Files, Layout};
use crate::{Error, Event, Manifest, Result};
use http::Client;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

impl Source {
    /// Downloads the dataset into the folder `downloads`, unless it is there already, and returns the folder that holds
    /// its files. All files are read once, so that the returned folder is known to be complete. `progress` receives an
    /// [`Event`] for each step. Two processes may do this at once: the second waits for the first.
    ///
    /// Memory: reading takes as much as [`Located::load`](crate::Located::load). Unpacking an archive of N bytes, whose
    /// SHA-256 is verified first, takes at most 1 MiB + 4 N.
    ///
    /// # Errors
    /// When every mirror fails (the text gives the reason of each), the file system fails, a file in `downloads` is
    /// missing or damaged (the text names it), or the dataset is not one that is downloaded.
    pub fn download(&self, downloads: &Path, progress: &mut dyn FnMut(Event<'_>)) -> Result<PathBuf> {
        fetch(&self.manifest()?, downloads, progress)
    }
}

/// Downloads the dataset of `manifest` into `downloads`; see [`Source::download`].
pub(crate) fn fetch(manifest: &Manifest, downloads: &Path, progress: &mut dyn FnMut(Event<'_>)) -> Result<PathBuf> {
    fetch_with(&Client::new(), manifest, downloads, progress)
}

fn fetch_with(
    client: &Client,
    manifest: &Manifest,
    downloads: &Path,
    progress: &mut dyn FnMut(Event<'_>),
) -> Result<PathBuf> {
    let Some(files) = manifest.files.as_ref().filter(|_| manifest.archive.is_some() || !manifest.downloads.is_empty())
    else {
        return Err(Error::Download(format!("{} is not fetched from the network", manifest.title)));
    };
    fs::create_dir_all(downloads).map_err(Error::io("create the folder", downloads))?;
    // Named after the folder of files, not the dataset: two datasets may share files (CIFAR-100's fine and coarse
    // labels).
    let hidden = |what: &str| downloads.join(format!(".{}.{what}", files.folder));
    let (part, unpacked, staged) = (hidden("part"), hidden("unpack"), hidden("files"));
    let _lock = lock(&hidden("lock"), progress)?;

    // The lock is held, so no other process uses what an earlier attempt left.
    remove_folder(&unpacked)?;
    if let Some(folder) = folder::folder(downloads, files, files.layout == Layout::Records) {
        folder::read(&folder, files, manifest)?;
        remove_file(&part)?;
        remove_folder(&staged)?;
        return Ok(folder);
    }
    let Some(archive) = &manifest.archive else {
        fetch_files(client, &manifest.downloads, &staged, progress)?;
        folder::read(&staged, files, manifest)?;
        return moved(&staged, downloads.join(&files.folder));
    };
    client.fetch(&archive.download(), &part, progress)?;
    progress(Event::Unpacking);
    let moved = place(manifest, files, archive, &part, &unpacked, downloads);
    if moved.is_err() {
        // The first error is the one that is reported.
        let _ = fs::remove_dir_all(&unpacked);
    }
    let folder = moved?;
    remove_folder(&unpacked)?;
    remove_file(&part)?;
    Ok(folder)
}

/// Downloads `files` into the folder `staged`, each synced to the disk. Files that an earlier attempt left there are verified
/// and not downloaded again.
fn fetch_files(client: &Client, files: &[Download], staged: &Path, progress: &mut dyn FnMut(Event<'_>)) -> Result<()> {
    fs::create_dir_all(staged).map_err(Error::io("create the folder", staged))?;
    for file in files {
        let path = staged.join(file.file_name());
        client.fetch(file, &path, progress)?;
        // Opened for writing, since not every system syncs a file that is open for reading.
        let synced = File::options().write(true).open(&path).and_then(|file| file.sync_all());
        synced.map_err(Error::io("write", &path))?;
    }
    sync_folder(Some(staged));
    Ok(())
}

/// Unpacks the archive `part` into `unpacked`, reads its files as a check, and moves their folder into `downloads`.
fn place(
    manifest: &Manifest,
    files: &Files,
    archive: &Archive,
    part: &Path,
    unpacked: &Path,
    downloads: &Path,
) -> Result<PathBuf> {
    unpack::unpack(part, archive.unpacking(), unpacked)?;
    let from = unpacked.join(&files.folder);
    folder::read(&from, files, manifest)
        .map_err(|error| Error::Archive { path: part.to_path_buf(), detail: format!("after unpacking, {error}") })?;
    moved(&from, downloads.join(&files.folder))
}

/// Moves the folder `from` to `to`.
fn moved(from: &Path, to: PathBuf) -> Result<PathBuf> {
    // A folder of that name that holds none of the files: it is replaced only if it is empty.
    if to.exists() {
        fs::remove_dir(&to).map_err(Error::io("replace", &to))?;
    }
    fs::rename(from, &to).map_err(Error::io("move the data to", &to))?;
    sync_folder(to.parent());
    Ok(to)
}

/// Locks the file at `path` until the returned file is dropped or the process ends.
fn lock(path: &Path, progress: &mut dyn FnMut(Event<'_>)) -> Result<File> {
    let file = File::options().create(true).write(true).truncate(false).open(path).map_err(Error::io("write", path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            progress(Event::Note("another process is fetching the same data; waiting for it"));
            file.lock().map_err(Error::io("lock", path))?;
        }
        // Some network file systems have no locks. The checksum then detects two processes that wrote at once.
        Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {}
        Err(TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
    }
    Ok(file)
}

fn remove_folder(path: &Path) -> Result<()> {
    if path.exists() { fs::remove_dir_all(path).map_err(Error::io("remove", path)) } else { Ok(()) }
}

fn remove_file(path: &Path) -> Result<()> {
    if path.exists() { fs::remove_file(path).map_err(Error::io("remove", path)) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
