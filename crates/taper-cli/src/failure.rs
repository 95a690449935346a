//! Errors of a command: what is written to standard error, and the exit code.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use taper::backend::printable_lines;

/// The exit code of usage errors: unknown names, values out of range.
pub const USAGE: u8 = 2;
/// The exit code of all other failures.
pub const FAILED: u8 = 1;
/// The exit code after Ctrl-C: 128 + the number of SIGINT, as shells report it.
pub const INTERRUPTED: u8 = 130;
/// Exit codes above this stand for signals.
const SIGNALLED: u8 = 128;

/// An error and the exit code it leads to.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    text: String,
    hint: Option<String>,
}

impl Failure {
    /// A usage error, exit code [`USAGE`].
    pub fn usage(text: impl Into<String>) -> Self {
        Self { code: USAGE, text: text.into(), hint: None }
    }

    /// A failure, exit code [`FAILED`].
    pub fn failed(text: impl Into<String>) -> Self {
        Self { code: FAILED, text: text.into(), hint: None }
    }

    /// Sets the exit code.
    pub fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// Sets the hint: what to try, printed on a line of its own.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, said of the file `path`.
    pub fn of(self, path: &Path) -> Self {
        Self { text: format!("{}: {}", path.display(), self.text), ..self }
    }

    /// Sets `hint` if this is a usage error without one.
    pub fn usage_hint(self, hint: impl Into<String>) -> Self {
        if self.code == USAGE && self.hint.is_none() { self.hint(hint) } else { self }
    }

    /// The failure of a run; `smaller` is the hint if the device ran out of memory.
    pub fn of_run(error: taper::train::Error, smaller: &str) -> Self {
        let memory = matches!(error, taper::train::Error::Nn(taper::Error::OutOfMemory { .. }));
        let failure = Self::from(error);
        if memory { failure.hint(smaller) } else { failure }
    }

    /// The failure for `error`, with its causes, except those that its text contains already.
    fn from_error(code: u8, error: &dyn Error) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                let _ = write!(text, "\n  caused by: {cause_text}");
            }
            source = cause.source();
        }
        Self { code, text, hint: None }
    }

    /// The text of the error, as a terminal may show it.
    pub fn message(&self) -> String {
        printable_lines(&self.text).into_owned()
    }

    /// Writes the error and its hint to standard error, and returns the exit code.
    pub fn tell(&self) -> ExitCode {
        let mut stderr = std::io::stderr().lock();
        // If standard error is closed, the message is lost.
        let what = if self.code > SIGNALLED { "" } else { "error: " };
        let _ = writeln!(stderr, "{what}{}", printable_lines(&self.text));
        if let Some(hint) = &self.hint {
            let _ = writeln!(stderr, "hint: {}", printable_lines(hint));
        }
        ExitCode::from(self.code)
    }
}

impl From<taper::train::Error> for Failure {
    fn from(error: taper::train::Error) -> Self {
        Self::from_error(if error.is_usage() { USAGE } else { FAILED }, &error)
    }
}

impl From<taper::config::Error> for Failure {
    fn from(error: taper::config::Error) -> Self {
        taper::train::Error::from(error).into()
    }
}

impl From<taper::data::Error> for Failure {
    fn from(error: taper::data::Error) -> Self {
        taper::train::Error::from(error).into()
    }
}

impl From<taper::Error> for Failure {
    fn from(error: taper::Error) -> Self {
        Self::from_error(FAILED, &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_does_not_suffice_comes_with_a_hint() {
        let gib = |n: u64| Some(n << 30);
        let error = taper::Error::OutOfMemory { backend: "cuda:0".into(), asked: gib(3), free: gib(1), total: gib(80) };
        let failure = Failure::of_run(error.into(), "try --set train.batch_size=32");
        assert_eq!(failure.code, FAILED);
        assert_eq!(
            failure.text,
            "cuda:0: out of memory: asked for 3.0 GiB, 1.0 GiB of 80.0 GiB free; a smaller batch needs less"
        );
        assert_eq!(failure.hint.as_deref(), Some("try --set train.batch_size=32"));
        let other = Failure::of_run(taper::Error::Device("cuda:0: lost".into()).into(), "try less");
        assert_eq!((other.text.as_str(), other.hint), ("cuda:0: lost", None));
    }
}
