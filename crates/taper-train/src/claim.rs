//! A folder taken by one process: a lock on a file in it, which is gone with the process, however that ends.

use crate::{Error, Result};
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;
use taper_nn::taper_tensor::files;

/// How often a lock is tried for: who only looks whether there is one holds it for a moment.
const TRIES: usize = 20;
/// How long to wait between two of them.
const PAUSE: Duration = Duration::from_millis(10);

/// A lock, as long as this is there.
#[derive(Debug)]
pub(crate) struct Claim {
    /// Holds the lock.
    _file: File,
    path: PathBuf,
    /// Whether the file was made for it.
    pub(crate) made: bool,
}

impl Claim {
    /// Takes the lock `path`; the file is made if it is not there, and so is its folder. `None` when another process,
    /// or another part of this one, holds it.
    pub(crate) fn take(path: &Path) -> Result<Option<Self>> {
        for _ in 0..TRIES {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
            }
            files::plain_or_missing(path).map_err(Error::io("write", path))?;
            let (file, made) = match File::options().write(true).create_new(true).open(path) {
                Ok(file) => (file, true),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    match File::options().write(true).open(path) {
                        Ok(file) => (file, false),
                        // Whoever held it has just removed it.
                        Err(error) if error.kind() == ErrorKind::NotFound => continue,
                        Err(error) => return Err(Error::io("write", path)(error)),
                    }
                }
                // The folder was removed by whoever had made it.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(Error::io("write", path)(error)),
            };
            match file.try_lock() {
                Ok(()) if is_at(&file, path) => return Ok(Some(Self { _file: file, path: path.into(), made })),
                // It was removed between being opened and locked: another's lock has its place, or none.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => sleep(PAUSE),
                // A file system that has no locks makes nothing worse than it would be without any.
                Err(TryLockError::Error(_)) => return Ok(Some(Self { _file: file, path: path.into(), made })),
            }
        }
        Ok(None)
    }

    /// Gives it up, and removes the file if it was made for this.
    pub(crate) fn undo(self) {
        if self.made {
            // While the lock is held, so that whoever waits for it sees that the file is another's or gone.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether `path` still leads to `file`.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let key = |found: fs::Metadata| (found.dev(), found.ino());
    matches!((file.metadata().map(key), fs::metadata(path).map(key)), (Ok(a), Ok(b)) if a == b)
}

#[cfg(not(unix))]
fn is_at(_file: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn one_holds_it_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b/lock");
        let first = Claim::take(&path).unwrap().unwrap();
        assert!(first.made && Claim::take(&path).unwrap().is_none());
        drop(first);
        let second = Claim::take(&path).unwrap().unwrap();
        assert!(!second.made);
        second.undo();
        assert!(path.is_file(), "it was made for another");
        fs::remove_file(&path).unwrap();
        Claim::take(&path).unwrap().unwrap().undo();
        assert!(!path.exists());
    }

    /// Threads that take it, remove it and its folder, and give it up, all at once: never do two hold it.
    #[test]
    fn whoever_removes_it_takes_no_other() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run/lock");
        let (holders, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let Some(claim) = Claim::take(&path).unwrap() else { continue };
                        assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                        std::thread::yield_now();
                        taken.fetch_add(1, Ordering::SeqCst);
                        holders.fetch_sub(1, Ordering::SeqCst);
                        claim.undo();
                        let _ = fs::remove_dir(path.parent().unwrap());
                    }
                });
            }
        });
        assert!(taken.into_inner() > 0);
    }
}
