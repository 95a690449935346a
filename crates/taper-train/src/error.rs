//! The errors of a run. Their messages say what the user can change.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use taper_nn::taper_tensor::printable;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of configuration, training or evaluation.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A request that cannot be met: an unknown name or key, or a value out of range.
    Usage(String),
    /// The loss or a gradient became NaN or infinite. The last good weights were restored.
    NotFinite {
        /// What became NaN or infinite: `the loss`, `a gradient`, `the test loss`.
        what: &'static str,
        /// The step, from 1.
        step: u64,
        /// The number of steps that the restored weights had been trained for; `None` if no copies were kept
        /// (`train.keep`).
        kept: Option<u64>,
        /// The file that the restored weights were saved to, if any.
        saved: Option<PathBuf>,
    },
    /// A run folder that is not empty, holds no run, or is in use.
    RunFolder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with the folder, and what to do.
        detail: String,
    },
    /// An error of the file system: no space, no permission, a broken disk.
    Io {
        /// The operation: `write`, `read`, `create the folder`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// An error of tensors, layers or weights.
    Nn(taper_nn::Error),
    /// An error of the data.
    Data(taper_data::Error),
    /// An error of the report, or of TensorBoard's events.
    Report(taper_report::Error),
}

impl Error {
    /// For `map_err` on file system calls: `.map_err(Error::io("read", path))`.
    pub(crate) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { action, path: path.to_path_buf(), source }
    }

    /// Whether the request was wrong (exit code 2 of the program) rather than its execution (exit code 1).
    pub fn is_usage(&self) -> bool {
        use taper_data::Error::{Embedded, UnknownDataset};
        matches!(self, Self::Usage(_) | Self::Data(UnknownDataset { .. } | Embedded { .. }))
    }
}

/// A path for messages, with control characters escaped.
pub(crate) fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy()).into_owned()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(detail) => f.write_str(detail),
            Self::NotFinite { what, step, kept, saved } => {
                write!(f, "{what} became NaN or infinite at step {step}")?;
                if let (Some(path), Some(kept)) = (saved, kept) {
                    write!(f, "; the last good weights, those after {kept} steps, are in {}", shown(path))?;
                }
                if kept.is_none() {
                    f.write_str("; no good weights were kept (train.keep = false), those of a checkpoint may be")?;
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
            Self::Report(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            // Display has printed these errors' own text: the source is what lies beneath them.
            Self::Nn(error) => std::error::Error::source(error),
            Self::Data(error) => std::error::Error::source(error),
            Self::Report(error) => std::error::Error::source(error),
            _ => None,
        }
    }
}

impl From<taper_config::Error> for Error {
    fn from(error: taper_config::Error) -> Self {
        match error {
            taper_config::Error::Read { path, source } => Self::Io { action: "read", path, source },
            other => Self::Usage(other.to_string()),
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

impl From<taper_report::Error> for Error {
    fn from(error: taper_report::Error) -> Self {
        Self::Report(error)
    }
}
