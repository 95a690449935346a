//! What can go wrong, said so that the reader knows what to change.

use crate::DType;
use std::fmt;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a tensor operation. Every variant names the operation and what was expected beside what came.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// Shapes that do not fit together.
    Shape {
        /// The operation, by its public name.
        op: &'static str,
        /// Which argument, which dimension, and both shapes.
        detail: String,
    },
    /// Element types that do not fit together. Nothing is promoted silently.
    DType {
        /// The operation, by its public name.
        op: &'static str,
        /// The dtypes expected and found.
        detail: String,
    },
    /// A value out of range: an axis, a stride of zero, a probability over one, an index past the end.
    Argument {
        /// The operation, by its public name.
        op: &'static str,
        /// The value, its range, and what to do.
        detail: String,
    },
    /// The backend does not offer this operation for this dtype.
    Unsupported {
        /// The operation.
        op: &'static str,
        /// The dtype asked for.
        dtype: DType,
        /// The backend's name.
        backend: String,
    },
    /// A gradient that cannot be computed: a graph already used up, a parameter overwritten since.
    Tape(String),
    /// Parameters, weights or names that do not match.
    Parameter(String),
    /// The device failed: out of memory, no such card, a driver's error.
    Device(String),
}

impl Error {
    /// Shapes that do not fit `op`.
    pub fn shape(op: &'static str, detail: impl Into<String>) -> Self {
        Self::Shape { op, detail: detail.into() }
    }

    /// Element types that do not fit `op`.
    pub fn dtype(op: &'static str, detail: impl Into<String>) -> Self {
        Self::DType { op, detail: detail.into() }
    }

    /// A value out of range for `op`.
    pub fn argument(op: &'static str, detail: impl Into<String>) -> Self {
        Self::Argument { op, detail: detail.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape { op, detail } | Self::DType { op, detail } | Self::Argument { op, detail } => {
                write!(f, "{op}: {detail}")
            }
            Self::Unsupported { op, dtype, backend } => {
                write!(
                    f,
                    "{op}: backend {backend} does not offer it for {dtype}; cast the input or choose another device"
                )
            }
            Self::Tape(detail) | Self::Parameter(detail) | Self::Device(detail) => f.write_str(detail),
        }
    }
}

impl std::error::Error for Error {}
