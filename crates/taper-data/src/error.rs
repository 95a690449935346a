//! What can go wrong with data, said so that the reader knows which file it was, what was expected and what to do.

use std::any::Any;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use taper_backend::{printable, printable_lines};

/// How damaged data are mended. Without one of its files a dataset still counts as found: the whole folder has to go.
pub(crate) const MEND: &str = "remove the folder it is in and fetch the data again";

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of reading, fetching or batching data.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A file that should be there is not.
    MissingFile {
        /// Where it was looked for.
        path: PathBuf,
        /// What should be there.
        expected: String,
    },
    /// A file that is truncated, or holds more than it should.
    FileSize {
        /// The file.
        path: PathBuf,
        /// The bytes it should have.
        expected: u64,
        /// The bytes it has.
        found: u64,
    },
    /// A record whose label names no class.
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
    /// A record whose values are out of range.
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
    /// A folder given explicitly that does not hold the data.
    NoData {
        /// The folder.
        dir: PathBuf,
        /// The dataset's title.
        title: String,
        /// What the folder should hold.
        expected: String,
    },
    /// A dataset that is in none of the places looked at, and that nothing stands in for.
    NotFound {
        /// The dataset's title.
        title: String,
        /// Where it was looked for, and what came of it.
        tried: String,
    },
    /// A place in a file that does not hold what it should.
    Format {
        /// The file.
        path: PathBuf,
        /// Where in it: `header`, `line 3`, `row 7, column x`.
        at: String,
        /// What was expected there and what was found.
        detail: String,
    },
    /// A manifest that cannot be read or contradicts itself.
    Manifest(String),
    /// A name that no dataset has.
    UnknownDataset {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<&'static str>,
    },
    /// The file system refused: no space, no permission, a broken disk.
    Io {
        /// What was being done: `write`, `read`, `create the folder`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Every mirror failed; the text says how each did.
    Download(String),
    /// A download whose bytes are not those expected. The file has been removed.
    Checksum {
        /// The file.
        path: PathBuf,
        /// The SHA-256 expected.
        expected: String,
        /// The SHA-256 found.
        found: String,
    },
    /// An archive that is damaged, or that unpacking refuses.
    Archive {
        /// The archive.
        path: PathBuf,
        /// Which entry, and why.
        detail: String,
    },
    /// A dataset's own code that panicked while a sample was read.
    Sample {
        /// The sample, from 0.
        index: usize,
        /// What the panic said.
        detail: String,
    },
    /// A value out of range given to this library.
    Argument(String),
}

impl Error {
    /// What is wrong at a place `at` of the file `path`.
    pub(crate) fn format(path: &Path, at: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Format { path: path.to_path_buf(), at: at.into(), detail: detail.into() }
    }

    #[allow(dead_code, reason = "for the readers that are features")]
    /// What the decoder of the file `path` could not take: it panicked with `panic`. `what` names the format.
    pub(crate) fn decoder(path: &Path, what: &str, panic: &(dyn Any + Send)) -> Self {
        Self::format(path, "file", format!("damaged: the {what} decoder failed on it ({})", panic_text(panic)))
    }

    /// For `map_err` on file system calls: `.map_err(Error::io("read", path))`.
    pub(crate) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { action, path: path.to_path_buf(), source }
    }
}

/// What a panic said, on one line.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a text").lines().next().unwrap_or_default().chars().take(200).collect()
}

impl fmt::Display for Error {
    /// Names of files, classes and columns are whatever somebody has written: what a terminal would obey is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = Raw(self).to_string();
        f.write_str(&match self {
            // Several lines: what is wrong in a TOML file, how each mirror failed.
            Self::Manifest(_) | Self::Download(_) => printable_lines(&text),
            _ => printable(&text),
        })
    }
}

/// An error as it is.
struct Raw<'a>(&'a Error);

impl fmt::Display for Raw<'_> {
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
