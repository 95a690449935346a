//! Errors of reading sound and of computing with it. A message names the file or the argument, what was expected and what
//! was found.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use taper_backend::printable;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of reading sound or of computing with it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The file system failed, or the path is no plain file.
    Io {
        /// The operation that failed: `read`, `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A file that is damaged, or holds what is not read.
    Format {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        detail: String,
    },
    /// An argument is out of range.
    Argument(String),
}

impl Error {
    pub(crate) fn format(path: &Path, detail: impl Into<String>) -> Self {
        Self::Format { path: path.to_path_buf(), detail: detail.into() }
    }

    /// For `map_err` on file system calls.
    pub(crate) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { action, path: path.to_path_buf(), source }
    }
}

impl fmt::Display for Error {
    /// Writes the message with control characters escaped: names of files come from outside.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Io { action, path, source } => format!("cannot {action} {}: {source}", path.display()),
            Self::Format { path, detail } => format!("{}: {detail}", path.display()),
            Self::Argument(detail) => detail.clone(),
        };
        f.write_str(&printable(&text))
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
