//! Standard output, whose reader may close it early.

use crate::failure::Failure;
use std::io::{ErrorKind, Stdout, Write, stdout};
use taper::backend::printable_lines;

/// Writes lines to standard output. A closed pipe (`| head`) is no error, and the command goes on without output. Any
/// other error, such as a full disk, is reported by [`finish`](Self::finish) after the command has done its work.
pub struct Output {
    stdout: Stdout,
    closed: bool,
    error: Option<std::io::Error>,
    logs: bool,
}

impl Output {
    /// The process's standard output; `logs` says whether logs are written to standard error.
    pub fn new(logs: bool) -> Self {
        Self { stdout: stdout(), closed: false, error: None, logs }
    }

    /// Whether logs are written to standard error. If so, no progress bar is drawn: log lines would break it.
    pub fn has_logs_beside(&self) -> bool {
        self.logs
    }

    /// Writes `text` and a newline. Control characters, which names and values may contain, are escaped.
    pub fn line(&mut self, text: &str) {
        self.part(&format!("{}\n", printable_lines(text)));
    }

    /// Writes `text` without a newline: what a line begins with, after which something is read.
    pub fn part(&mut self, text: &str) {
        if self.closed {
            return;
        }
        let mut stdout = self.stdout.lock();
        if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            self.closed = true;
            if error.kind() != ErrorKind::BrokenPipe {
                self.error = Some(error);
            }
        }
    }

    /// # Errors
    /// The first error of writing, other than a closed pipe.
    pub fn finish(self) -> Result<(), Failure> {
        match self.error {
            Some(error) => Err(Failure::failed(format!("cannot write to standard output: {error}"))),
            None => Ok(()),
        }
    }
}
