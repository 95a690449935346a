//! How a command ends badly: what is written to standard error, and the exit code.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

/// A request that cannot be followed: unknown names, values out of range.
pub const USAGE: u8 = 2;
/// Everything else that goes wrong.
pub const FAILED: u8 = 1;
/// Ended by Ctrl-C: 128 and the number of the signal, as shells have it.
pub const INTERRUPTED: u8 = 130;

/// An error and the exit code it leads to.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    text: String,
    hint: Option<String>,
}

impl Failure {
    /// A request that cannot be followed.
    pub fn usage(text: impl Into<String>) -> Self {
        Self { code: USAGE, text: text.into(), hint: None }
    }

    /// Something that went wrong.
    pub fn failed(text: impl Into<String>) -> Self {
        Self { code: FAILED, text: text.into(), hint: None }
    }

    /// The same with another exit code.
    pub fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// What to try, on a line of its own.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds `hint` to a usage error only.
    pub fn usage_hint(self, hint: impl Into<String>) -> Self {
        if self.code == USAGE && self.hint.is_none() { self.hint(hint) } else { self }
    }

    /// The error with the causes beneath it, but for those that its text tells already.
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

    /// Writes the error to standard error.
    pub fn tell(&self) -> ExitCode {
        let mut stderr = std::io::stderr().lock();
        // Where standard error itself is closed there is nobody to tell.
        let _ = match self.code {
            INTERRUPTED => writeln!(stderr, "{}", self.text),
            _ => writeln!(stderr, "error: {}", self.text),
        };
        if let Some(hint) = &self.hint {
            let _ = writeln!(stderr, "hint: {hint}");
        }
        ExitCode::from(self.code)
    }
}

impl From<taper::train::Error> for Failure {
    fn from(error: taper::train::Error) -> Self {
        Self::from_error(if error.is_usage() { USAGE } else { FAILED }, &error)
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
