//! A lock on a run's folder, so that one process works in it at a time. The system releases it when the process ends,
//! however it ends.

use crate::folder::create_with_parents;
use crate::{Error, Result};
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;
use taper_nn::taper_tensor::files;

/// How often locking is tried: a process that only checks whether the folder is locked holds the lock for a moment.
const TRIES: usize = 20;
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(10);

/// A lock on a file, held until this is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    /// The open file, which holds the lock.
    _file: File,
    path: PathBuf,
    /// Whether the lock file was created by this claim.
    pub(crate) made: bool,
}

impl Claim {
    /// Locks the file `path`, creating it and its folder if they do not exist. `None` when another process, or another
    /// part of this one, holds the lock.
    pub(crate) fn take(path: &Path) -> Result<Option<Self>> {
        let mut tries = 0..TRIES;
        'open: while tries.next().is_some() {
            if let Some(folder) = path.parent() {
                create_with_parents(folder).map_err(Error::io("create the folder", folder))?;
            }
            files::plain_or_missing(path).map_err(Error::io("write", path))?;
            let (file, made) = match File::options().write(true).create_new(true).open(path) {
                Ok(file) => (file, true),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    match File::options().write(true).open(path) {
                        Ok(file) => (file, false),
                        // The process that held the lock has just removed the file.
                        Err(error) if error.kind() == ErrorKind::NotFound => continue,
                        Err(error) => return Err(Error::io("write", path)(error)),
                    }
                }
                // The folder was removed by the process that had created it.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(Error::io("write", path)(error)),
            };
            // The same open file is tried again: a process that only looks may have locked what this one has created,
            // and opened anew it would seem to be that process's.
            loop {
                match file.try_lock() {
                    Ok(()) if is_at(&file, path) => return Ok(Some(Self { _file: file, path: path.into(), made })),
                    // The file was removed between opening and locking it: it was replaced by another process's lock
                    // file, or by none.
                    Ok(()) => continue 'open,
                    Err(TryLockError::WouldBlock) if tries.next().is_some() => sleep(PAUSE),
                    Err(TryLockError::WouldBlock) => break 'open,
                    // A file system without locks: go on unprotected.
                    Err(TryLockError::Error(_)) => return Ok(Some(Self { _file: file, path: path.into(), made })),
                }
            }
        }
        Ok(None)
    }

    /// Releases the lock, and removes the file if this claim created it.
    pub(crate) fn undo(self) {
        if self.made {
            // Removed while the lock is held, so that a waiting process sees that the file was replaced or is gone.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether `path` is still the path of `file`.
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

    /// Threads that take the lock, remove the file and its folder, and release the lock, all at once: two never hold
    /// it.
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

    /// Of two that take the lock at once and keep it only if they have created the file, one keeps it.
    #[test]
    fn who_has_created_it_is_told_so() {
        let root = tempfile::tempdir().unwrap();
        for number in 0..500 {
            let path = root.path().join(format!("{number}/lock"));
            let barrier = std::sync::Barrier::new(2);
            let take = || {
                barrier.wait();
                Claim::take(&path).unwrap().is_some_and(|claim| claim.made)
            };
            let made = std::thread::scope(|scope| [scope.spawn(take), scope.spawn(take)].map(|t| t.join().unwrap()));
            assert_eq!(made.iter().filter(|made| **made).count(), 1, "{made:?}");
        }
    }
}
