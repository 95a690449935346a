//! The error type of tensor operations.

use crate::DType;
use std::fmt;

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a tensor operation. Errors of shape, dtype and argument name the operation, what it expected and what it
/// found.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// Shapes that do not fit the operation or each other.
    Shape {
        /// The operation, by its public name.
        op: &'static str,
        /// Which argument, which dimension, and both shapes.
        detail: String,
    },
    /// Dtypes that do not fit the operation or each other. No operation promotes dtypes silently.
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
    /// A gradient that cannot be computed: the graph was freed by an earlier backward pass, or a parameter was
    /// overwritten after the forward pass.
    Tape(String),
    /// Parameters, weights or names that do not match.
    Parameter(String),
    /// The device is out of memory. Sizes are in bytes; `None` where the backend does not know one.
    OutOfMemory {
        /// The backend's name.
        backend: String,
        /// The size of the allocation that failed.
        asked: Option<u64>,
        /// The free memory of the device.
        free: Option<u64>,
        /// The total memory of the device.
        total: Option<u64>,
    },
    /// The device failed: there is no such device, or its driver returned an error.
    Device(String),
}

impl Error {
    /// A shape error of `op`.
    pub fn shape(op: &'static str, detail: impl Into<String>) -> Self {
        Self::Shape { op, detail: detail.into() }
    }

    /// A dtype error of `op`.
    pub fn dtype(op: &'static str, detail: impl Into<String>) -> Self {
        Self::DType { op, detail: detail.into() }
    }

    /// An argument of `op` that is out of range.
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
            Self::OutOfMemory { backend, asked, free, total } => {
                let asked = asked.map(|bytes| format!("asked for {}", size(bytes)));
                let free = free.map(|bytes| match total {
                    Some(total) => format!("{} of {} free", size(bytes), size(*total)),
                    None => format!("{} free", size(bytes)),
                });
                let known: Vec<String> = [asked, free].into_iter().flatten().collect();
                let colon = if known.is_empty() { "" } else { ": " };
                write!(f, "{backend}: out of memory{colon}{}; a smaller batch needs less", known.join(", "))
            }
            Self::Tape(detail) | Self::Parameter(detail) | Self::Device(detail) => f.write_str(detail),
        }
    }
}

/// A number of bytes as text, in the largest binary unit that is not larger than it: `3.2 GiB`.
fn size(bytes: u64) -> String {
    let (mut value, mut unit) = (bytes as f64, "B");
    for next in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_of_memory_is_told_with_what_is_known() {
        let text = |asked, free, total| Error::OutOfMemory { backend: "cuda:0".into(), asked, free, total }.to_string();
        let gib = |n: f64| Some((n * f64::from(1 << 30)) as u64);
        assert_eq!(
            text(gib(3.2), gib(1.1), gib(80.0)),
            "cuda:0: out of memory: asked for 3.2 GiB, 1.1 GiB of 80.0 GiB free; a smaller batch needs less"
        );
        assert_eq!(text(Some(512), None, None), "cuda:0: out of memory: asked for 512 B; a smaller batch needs less");
        assert_eq!(text(None, Some(1 << 20), None), "cuda:0: out of memory: 1.0 MiB free; a smaller batch needs less");
        assert_eq!(text(None, None, gib(8.0)), "cuda:0: out of memory; a smaller batch needs less");
    }
}
