//! Reading plain files, for every crate. Named pipes, sockets, devices and folders are errors: opening a pipe that has
//! no writer would block forever, and reading a device might never end.

use std::fs::{self, File, FileType};
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Opens the plain file `path` for reading. Symbolic links are followed.
///
/// # Errors
/// Errors of the system, and `expected a plain file, found a folder` (or a named pipe, a socket, a device).
pub fn open(path: impl AsRef<Path>) -> Result<File> {
    let path = path.as_ref();
    // Checked before opening, because opening a pipe would block, and after it, in case the path was replaced between.
    plain(&fs::metadata(path)?.file_type())?;
    let file = File::open(path)?;
    plain(&file.metadata()?.file_type())?;
    Ok(file)
}

/// All bytes of the plain file `path`.
///
/// # Errors
/// The errors of [`open`], and of reading.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>> {
    let mut file = open(path)?;
    let mut bytes = Vec::with_capacity(usize::try_from(file.metadata()?.len()).unwrap_or(0));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of the plain file `path`.
///
/// # Errors
/// The errors of [`read`], and `expected text in UTF-8, …` for bytes that are not UTF-8.
pub fn read_to_string(path: impl AsRef<Path>) -> Result<String> {
    String::from_utf8(read(path)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Error::new(ErrorKind::InvalidData, format!("expected text in UTF-8, which ends at byte {at}"))
    })
}

/// Checks that `path` is a plain file or does not exist. To be called before opening it for writing, which would block
/// at a pipe.
///
/// # Errors
/// The errors of [`open`], except that a missing file is none.
pub fn plain_or_missing(path: impl AsRef<Path>) -> Result<()> {
    match fs::metadata(path) {
        Ok(found) => plain(&found.file_type()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn plain(found: &FileType) -> Result<()> {
    if found.is_file() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidInput, format!("expected a plain file, found {}", name(found))))
}

#[cfg(unix)]
fn name(found: &FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match found {
        found if found.is_dir() => "a folder",
        found if found.is_fifo() => "a named pipe",
        found if found.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(not(unix))]
fn name(found: &FileType) -> &'static str {
    if found.is_dir() { "a folder" } else { "a device" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_files_are_read() {
        let folder = std::env::temp_dir().join(format!("taper-files-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("a");
        assert_eq!(open(&path).unwrap_err().kind(), ErrorKind::NotFound);
        plain_or_missing(&path).unwrap();
        fs::write(&path, b"text\xff").unwrap();
        assert_eq!(read(&path).unwrap(), b"text\xff");
        let text = read_to_string(&path).unwrap_err().to_string();
        assert_eq!(text, "expected text in UTF-8, which ends at byte 4");
        plain_or_missing(&path).unwrap();
        for refused in [open(&folder).map(drop), read(&folder).map(drop), plain_or_missing(&folder)] {
            assert_eq!(refused.unwrap_err().to_string(), "expected a plain file, found a folder");
        }
        fs::remove_dir_all(&folder).unwrap();
    }

    /// Neither a pipe nor a device blocks the call.
    #[test]
    #[cfg(unix)]
    fn pipes_and_devices_are_refused() {
        let path = std::env::temp_dir().join(format!("taper-pipe-{}", std::process::id()));
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        for refused in [open(&path).map(drop), read_to_string(&path).map(drop), plain_or_missing(&path)] {
            assert_eq!(refused.unwrap_err().to_string(), "expected a plain file, found a named pipe");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(read("/dev/zero").unwrap_err().to_string(), "expected a plain file, found a device");
    }
}
