//! Errors of reading, downloading and batching data. A message names the file, what was expected, what was found, and
//! what to do.

use std::any::Any;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use taper_backend::{printable, printable_lines};

/// The advice for damaged data. The whole folder has to be removed, since a dataset counts as found when one of its
/// files is there.
pub(crate) const MEND: &str = "remove the folder it is in and fetch the data again";

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of reading, downloading or batching data.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A file is missing.
    MissingFile {
        /// The path of the missing file.
        path: PathBuf,
        /// What the file should be.
        expected: String,
    },
    /// A file is truncated or too large.
    FileSize {
        /// The file.
        path: PathBuf,
        /// The size it should have, in bytes.
        expected: u64,
        /// The size it has, in bytes.
        found: u64,
    },
    /// The label of a record is not below the number of classes.
    Label {
        /// The file.
        path: PathBuf,
        /// The record, from 0.
        record: usize,
        /// The label found.
        label: u8,
        /// The number of classes.
        classes: usize,
    },
    /// A record has a value out of range.
    Value {
        /// The file.
        path: PathBuf,
        /// The record, from 0.
        record: usize,
        /// The value found.
        value: u8,
        /// The largest value allowed.
        max: u8,
    },
    /// A folder that was set explicitly does not hold the dataset.
    NoData {
        /// The folder.
        dir: PathBuf,
        /// The dataset's title.
        title: String,
        /// What the folder should hold.
        expected: String,
    },
    /// A folder was set explicitly for a dataset that is embedded in this crate, and would not be read.
    Embedded {
        /// The folder.
        dir: PathBuf,
        /// The dataset's title.
        title: String,
    },
    /// A dataset was found in none of the places that were searched, and has no synthetic stand-in.
    NotFound {
        /// The dataset's title.
        title: String,
        /// The places that were searched, each with the result.
        tried: String,
    },
    /// A file has wrong content at some position.
    Format {
        /// The file.
        path: PathBuf,
        /// The position in the file: `header`, `line 3`, `row 7, column x`.
        at: String,
        /// What was expected there and what was found.
        detail: String,
    },
    /// A manifest cannot be parsed or is inconsistent.
    Manifest(String),
    /// No dataset has this name.
    UnknownDataset {
        /// The name asked for.
        name: String,
        /// The names of all datasets.
        known: Vec<&'static str>,
    },
    /// The file system failed: no space, no permission, a broken disk.
    Io {
        /// The operation that failed: `write`, `read`, `create the folder`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A download failed or was not possible; the text gives the reason of each mirror.
    Download(String),
    /// A downloaded file has a wrong SHA-256. The file has been removed.
    Checksum {
        /// The file.
        path: PathBuf,
        /// The SHA-256 expected.
        expected: String,
        /// The SHA-256 found.
        found: String,
    },
    /// An archive is damaged, or has an entry that is refused.
    Archive {
        /// The archive.
        path: PathBuf,
        /// The entry and the reason.
        detail: String,
    },
    /// The code of a [`Dataset`](crate::Dataset) panicked while a sample was read.
    Sample {
        /// The sample's index, from 0.
        index: usize,
        /// The panic's message.
        detail: String,
    },
    /// An argument is out of range.
    Argument(String),
}

impl Error {
    /// The error that the file `path` has wrong content at the position `at`.
    pub(crate) fn format(path: &Path, at: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Format { path: path.to_path_buf(), at: at.into(), detail: detail.into() }
    }

    /// The error that the decoder of the file `path` panicked with `panic`. `what` names the format.
    #[allow(dead_code, reason = "for the readers that are features")]
    pub(crate) fn decoder(path: &Path, what: &str, panic: &(dyn Any + Send)) -> Self {
        Self::format(path, "file", format!("damaged: the {what} decoder failed on it ({})", panic_text(panic)))
    }

    /// For `map_err` on file system calls: `.map_err(Error::io("read", path))`.
    pub(crate) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { action, path: path.to_path_buf(), source }
    }
}

/// The first line of a panic's message, at most 200 characters.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a text").lines().next().unwrap_or_default().chars().take(200).collect()
}

impl fmt::Display for Error {
    /// Writes the message with control characters escaped: names of files, classes and columns come from outside and
    /// could hold terminal escape sequences.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Unescaped(self).to_string();
        f.write_str(&match self {
            // These messages have several lines: the TOML parser's, and the reason of each mirror.
            Self::Manifest(_) | Self::Download(_) => printable_lines(&text),
            _ => printable(&text),
        })
    }
}

/// An error whose message is written without escaping.
struct Unescaped<'a>(&'a Error);

impl fmt::Display for Unescaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Error::MissingFile { path, expected } => {
                write!(f, "{}: no such file; expected {expected}; {MEND}", path.display())
            }
            Error::FileSize { path, expected, found } => {
                let what = if found < expected { "truncated" } else { "too large" };
                write!(f, "{}: {what}: expected {expected} bytes, found {found}; {MEND}", path.display())
            }
            Error::Label { path, record, label, classes } => write!(
                f,
                "{}: record {record} has label {label}; labels are 0 to {}",
                path.display(),
                classes.saturating_sub(1)
            ),
            Error::Value { path, record, value, max } => {
                write!(f, "{}: record {record} has value {value}; values are 0 to {max}", path.display())
            }
            Error::NoData { dir, title, expected } => write!(
                f,
                "{}: no {title} here; expected {expected} in this folder (leave the folder out to have the data found, \
                 fetched or generated)",
                dir.display()
            ),
            Error::Embedded { dir, title } => write!(
                f,
                "{}: {title} is part of the program and is not read from a folder; leave the folder out, or choose \
                 other data",
                dir.display()
            ),
            Error::NotFound { title, tried } => {
                write!(f, "{title} was not found: {tried}; there is no stand-in for it: name the folder that holds it")
            }
            Error::Format { path, at, detail } => write!(f, "{}: {at}: {detail}", path.display()),
            Error::Manifest(detail) => write!(f, "manifest: {detail}"),
            Error::UnknownDataset { name, known } => {
                write!(f, "unknown dataset `{name}`; known: {}", known.join(", "))
            }
            Error::Io { action, path, source } => {
                write!(f, "cannot {action} {}: {source}", path.display())?;
                match source.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        f.write_str("; free some space or choose another folder")
                    }
                    io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                        f.write_str("; check its permissions or choose another folder")
                    }
                    _ => Ok(()),
                }
            }
            Error::Download(detail) => f.write_str(detail),
            Error::Checksum { path, expected, found } => write!(
                f,
                "{}: wrong checksum: expected sha256 {expected}, found {found}; the file was removed, try again",
                path.display()
            ),
            Error::Archive { path, detail } => write!(f, "{}: archive refused: {detail}", path.display()),
            Error::Sample { index, detail } => {
                write!(f, "sample {index}: the dataset panicked while it was read: {detail}")
            }
            Error::Argument(detail) => f.write_str(detail),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_names_are_escaped() {
        let error = Error::format(Path::new("a\u{1b}]0;x\u{7}\n.csv"), "line 1", "expected one of `b\nerror: c`");
        assert_eq!(error.to_string(), r"a\u{1b}]0;x\u{7}\n.csv: line 1: expected one of `b\nerror: c`");
        assert_eq!(Error::Download("a\nb\r".into()).to_string(), "a\nb\\r");
    }
}
