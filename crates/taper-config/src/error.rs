//! The errors of a configuration.

use crate::escape::printable;
use std::path::PathBuf;
use std::{fmt, io};

/// What is wrong with a configuration.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An unknown key or name, or a value of the wrong type or out of its range.
    Usage(String),
    /// A file that cannot be read.
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl Error {
    /// `NAME: expected RANGE, found VALUE`, where `name` is a key's.
    pub fn out_of_range(name: &str, range: &str, value: impl fmt::Display) -> Self {
        let value = value.to_string();
        // Three hundred zeros are no help.
        let value = match value.parse::<f64>() {
            Ok(number) if value.len() > 20 => format!("{number:e}"),
            _ => value,
        };
        Self::Usage(format!("{name}: expected {range}, found {}", printable(&value)))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(detail) => f.write_str(detail),
            Self::Read { path, source } => {
                write!(f, "cannot read {}: {source}", printable(&path.to_string_lossy()))
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Usage(_) => None,
            Self::Read { source, .. } => Some(source),
        }
    }
}
