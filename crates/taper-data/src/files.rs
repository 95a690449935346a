//! Atomic writes: a reader of a file sees its old content or its new content, never a part.

use crate::{Error, Result};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes `bytes` to `path` atomically: to a temporary file in the same folder, which is synced to the disk and then
/// renamed over `path`. If the process is killed or the power fails, `path` has its old content or all of `bytes`.
///
/// ```
/// # fn main() -> taper_data::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("metrics.json");
/// taper_data::atomic_write(&path, b"{}")?;
/// assert_eq!(std::fs::read(&path).unwrap(), b"{}");
/// # Ok(()) }
/// ```
///
/// # Errors
/// When the folder is missing, not writable or full; the temporary file is then removed.
pub fn atomic_write(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let path = path.as_ref();
    let beside = temporary_beside(path);
    let written = write_synced(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if let Err(source) = written {
        // Best effort: the first error is the one that is reported.
        let _ = fs::remove_file(&beside);
        return Err(Error::io("write", path)(source));
    }
    sync_folder(path.parent());
    Ok(())
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A path beside `path` that no other process or thread uses: `.NAME.PID-COUNT.tmp`.
pub(crate) fn temporary_beside(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}-{count}.tmp", std::process::id()))
}

/// Makes a rename in `folder` durable (fsync). Errors are ignored: systems on which a folder cannot be opened (Windows)
/// do this themselves.
pub(crate) fn sync_folder(folder: Option<&Path>) {
    let folder = folder.filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(handle) = File::open(folder) {
        let _ = handle.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_the_old_content_and_leaves_nothing_beside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        atomic_write(&path, b"one").unwrap();
        atomic_write(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_a_clear_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none").join("a.txt");
        let text = atomic_write(&path, b"x").unwrap_err().to_string();
        assert!(text.starts_with("cannot write ") && text.contains("a.txt"), "{text}");
    }

    #[test]
    fn a_failed_rename_removes_the_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::create_dir(&path).unwrap(); // a file cannot be renamed over a folder
        atomic_write(&path, b"x").unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_full_disk_is_said_with_what_to_do() {
        let full = Error::io("write", Path::new("a"))(io::ErrorKind::StorageFull.into()).to_string();
        assert!(full.starts_with("cannot write a: ") && full.ends_with("free some space or choose another folder"));
        let denied = Error::io("write", Path::new("a"))(io::ErrorKind::PermissionDenied.into()).to_string();
        assert!(denied.ends_with("check its permissions or choose another folder"), "{denied}");
    }
}
