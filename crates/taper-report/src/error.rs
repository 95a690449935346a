//! The errors of writing a report. Their messages say what the user can change.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a report.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An argument that cannot be shown: what was expected, and what came.
    Argument(String),
    /// A file that holds something else than it should.
    File {
        /// The file.
        path: PathBuf,
        /// What was expected, what was found, and what to do.
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
}

impl Error {
    /// For `map_err` on file system calls: `.map_err(Error::io("read", path))`.
    pub(crate) fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io { action, path: path.to_path_buf(), source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(detail) => f.write_str(detail),
            Self::File { path, detail } => write!(f, "{}: {detail}", shown(path)),
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

/// A path for messages. What a terminal would obey is escaped: control characters, line and paragraph separators, and
/// the directional formatting characters of UAX #9.
fn shown(path: &Path) -> String {
    let obeyed = |char: char| {
        char.is_control()
            || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut text = String::new();
    for char in path.to_string_lossy().chars() {
        match obeyed(char) {
            true => text.extend(char.escape_default()),
            false => text.push(char),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_to_do_and_obey_nothing() {
        let of = |kind: io::ErrorKind| Error::io("write", Path::new("a\u{1b}[1m\u{202e}é"))(kind.into()).to_string();
        let full = of(io::ErrorKind::StorageFull);
        assert!(full.starts_with("cannot write a\\u{1b}[1m\\u{202e}é: "), "{full}");
        assert!(full.ends_with("; free some space or choose another folder"), "{full}");
        assert!(of(io::ErrorKind::PermissionDenied).ends_with("; check its permissions or choose another folder"));
        let file = Error::File { path: "events".into(), detail: "expected more".into() };
        assert_eq!(file.to_string(), "events: expected more");
    }
}
