//! What can go wrong with a run, said so that the reader knows what to change.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use taper_nn::taper_tensor::printable;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of configuring, training or measuring.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// Something that was asked for does not exist or is out of range: an unknown name or key, a value.
    Usage(String),
    /// The loss, or a gradient, is no longer a finite number. The last good weights were kept.
    NotFinite {
        /// What stopped being finite: `the loss`, `a gradient`, `the test loss`.
        what: &'static str,
        /// The step, from 1.
        step: u64,
        /// How many steps the weights that were kept had been trained for.
        kept: u64,
        /// Where they were saved, if anywhere.
        saved: Option<PathBuf>,
    },
    /// A run folder that holds something already, or is no run folder.
    RunFolder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        detail: String,
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
    /// Tensors, layers, weights.
    Nn(taper_nn::Error),
    /// The data.
    Data(taper_data::Error),
}

impl Error {
    /// For `map_err` on file system calls: `.map_err(Error::io("read", path))`.
    pub(crate) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { action, path: path.to_path_buf(), source }
    }

    /// Whether the request was wrong (a program's exit code 2) rather than its execution (1).
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Usage(_) | Self::Data(taper_data::Error::UnknownDataset { .. }))
    }
}

/// A path as a terminal may be shown it.
pub(crate) fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(detail) => f.write_str(detail),
            Self::NotFinite { what, step, kept, saved } => {
                write!(f, "{what} became NaN or infinite at step {step}")?;
                if let Some(path) = saved {
                    write!(f, "; the last good weights, those after {kept} steps, are in {}", shown(path))?;
                }
                f.write_str("; a lower learning rate often helps")
            }
            Self::RunFolder { path, detail } => write!(f, "{}: {detail}", shown(path)),
            Self::Io { action, path, source } => {
                write!(f, "cannot {action} {}: {source}", shown(path))?;
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
            Self::Nn(error) => error.fmt(f),
            Self::Data(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            // Their text is this error's own: what is beneath them comes next.
            Self::Nn(error) => std::error::Error::source(error),
            Self::Data(error) => std::error::Error::source(error),
            _ => None,
        }
    }
}

impl From<taper_nn::Error> for Error {
    fn from(error: taper_nn::Error) -> Self {
        Self::Nn(error)
    }
}

impl From<taper_data::Error> for Error {
    fn from(error: taper_data::Error) -> Self {
        Self::Data(error)
    }
}
