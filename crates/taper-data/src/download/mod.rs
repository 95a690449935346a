//! Fetching a dataset: its archive, or its files one by one, from the network, resumed after a cut and verified,
//! unpacked beside its place, then moved there. A kill at any moment leaves the data whole or absent; what may stay
//! is the partial download, which the next attempt goes on with.

#[cfg(test)]
mod file_by_file;
pub(crate) mod http;
#[cfg(test)]
mod server;
pub(crate) mod unpack;

use crate::datasets::{Source, folder};
use crate::files::sync_folder;
use crate::manifest::{Archive, Files, Layout};
use crate::{Error, Event, Manifest, Result};
use http::Client;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

impl Source {
    /// Fetches the dataset into the folder `downloads`, or finds it there, and returns the folder that holds its files.
    /// All of them are read once, so that data that are there are whole.
    /// `progress` is told what happens. Two processes may do this at once: the second waits for the first.
    ///
    /// # Errors
    /// When every mirror fails (the text says how each did), the disk refuses, files found there are missing or damaged
    /// (the text says which), or the dataset is not one to fetch.
    pub fn download(&self, downloads: &Path, progress: &mut dyn FnMut(Event<'_>)) -> Result<PathBuf> {
        fetch(&self.manifest()?, downloads, progress)
    }
}

/// Fetches the dataset of `manifest` into `downloads`; see [`Source::download`].
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
    // By the folder that is made: two datasets may be of the same files (CIFAR-100's fine and coarse labels).
    let hidden = |what: &str| downloads.join(format!(".{}.{what}", files.folder));
    let (part, unpacked, staged) = (hidden("part"), hidden("unpack"), hidden("files"));
    let _lock = lock(&hidden("lock"), progress)?;

    // Under the lock, whatever lies here of an earlier attempt is nobody's.
    remove_folder(&unpacked)?;
    if let Some(folder) = folder::folder(downloads, files, files.layout == Layout::Records) {
        folder::read(&folder, files, manifest)?;
        remove_file(&part)?;
        remove_folder(&staged)?;
        return Ok(folder);
    }
    let Some(archive) = &manifest.archive else {
        fetch_files(client, manifest, &staged, progress)?;
        folder::read(&staged, files, manifest)?;
        return move_into(&staged, files, downloads);
    };
    client.fetch(&archive.download(), &part, progress)?;
    progress(Event::Unpacking);
    let moved = place(manifest, files, archive, &part, &unpacked, downloads);
    if moved.is_err() {
        // The first error is the one worth telling.
        let _ = fs::remove_dir_all(&unpacked);
    }
    let folder = moved?;
    remove_folder(&unpacked)?;
    remove_file(&part)?;
    Ok(folder)
}

/// Fetches the files of `manifest` into the folder `staged`, each synced to the disk. Those that an earlier attempt
/// left there are verified, and fetched no second time.
fn fetch_files(client: &Client, manifest: &Manifest, staged: &Path, progress: &mut dyn FnMut(Event<'_>)) -> Result<()> {
    fs::create_dir_all(staged).map_err(Error::io("create the folder", staged))?;
    for file in &manifest.downloads {
        let path = staged.join(file.file_name());
        client.fetch(file, &path, progress)?;
        // Opened for writing, since not every system syncs what is open for reading.
        let synced = File::options().write(true).open(&path).and_then(|file| file.sync_all());
        synced.map_err(Error::io("write", &path))?;
    }
    sync_folder(Some(staged));
    Ok(())
}

/// Unpacks the archive `part` into `unpacked`, checks what is in it, and moves the files' folder into `downloads`.
fn place(
    manifest: &Manifest,
    files: &Files,
    archive: &Archive,
    part: &Path,
    unpacked: &Path,
    downloads: &Path,
) -> Result<PathBuf> {
    unpack::unpack(part, archive, unpacked)?;
    let from = unpacked.join(&files.folder);
    folder::read(&from, files, manifest)
        .map_err(|error| Error::Archive { path: part.to_path_buf(), detail: format!("after unpacking, {error}") })?;
    move_into(&from, files, downloads)
}

/// Moves the folder `from` to the files' place in `downloads`.
fn move_into(from: &Path, files: &Files, downloads: &Path) -> Result<PathBuf> {
    let to = downloads.join(&files.folder);
    // A folder of that name without any of the files: only an empty one may make way.
    if to.exists() {
        fs::remove_dir(&to).map_err(Error::io("replace", &to))?;
    }
    fs::rename(from, &to).map_err(Error::io("move the data to", &to))?;
    sync_folder(Some(downloads));
    Ok(to)
}

/// Holds the lock file at `path` until the returned file is dropped, or the process dies.
fn lock(path: &Path, progress: &mut dyn FnMut(Event<'_>)) -> Result<File> {
    let file = File::options().create(true).write(true).truncate(false).open(path).map_err(Error::io("write", path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            progress(Event::Note("another process is fetching the same data; waiting for it"));
            file.lock().map_err(Error::io("lock", path))?;
        }
        // Some network file systems have no locks. Two processes at once are then found by the checksum.
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
