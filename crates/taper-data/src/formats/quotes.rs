//! Whether the quotes of a CSV file go together (RFC 4180, section 2, rules 5 to 7).

use std::io::{self, Read};

/// Reads on from another reader, and looks at the quotes that pass. The parser behind it takes a field whose quote is
/// never closed for one that goes to the end of the file, with all the rows in it.
pub(super) struct Quotes<R> {
    inner: R,
    delimiter: u8,
    state: State,
    line: u64,
    /// The line that the last quoted field began in.
    opened: u64,
    /// How much of a byte order mark has passed, which does not count as a field's beginning.
    mark: usize,
    fault: Option<Fault>,
}

/// A quote that is missing, or one too many.
pub(super) struct Fault {
    pub line: u64,
    pub detail: String,
}

enum State {
    /// At a field's first byte.
    Start,
    /// In a field without quotes.
    Plain,
    /// Between quotes.
    Quoted,
    /// After a quote in a quoted field: its end, or the first half of a doubled one.
    Closed,
    /// After the end and space.
    Spaced,
}

const MARK: &[u8] = b"\xEF\xBB\xBF";

impl<R> Quotes<R> {
    pub fn new(inner: R, delimiter: u8) -> Self {
        Self { inner, delimiter, state: State::Start, line: 1, opened: 1, mark: 0, fault: None }
    }

    /// What is wrong with the quotes so far.
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    fn see(&mut self, byte: u8) {
        if self.mark < MARK.len() {
            self.mark = if byte == MARK[self.mark] { self.mark + 1 } else { MARK.len() };
            if byte >= 0x80 {
                return;
            }
        }
        let ends = byte == self.delimiter || matches!(byte, b'\r' | b'\n');
        self.state = match self.state {
            State::Start if byte == b'"' => {
                self.opened = self.line;
                State::Quoted
            }
            State::Closed if byte == b'"' => State::Quoted,
            State::Quoted if byte == b'"' => State::Closed,
            State::Quoted => State::Quoted,
            State::Start | State::Plain | State::Closed | State::Spaced if ends => State::Start,
            State::Start | State::Plain => State::Plain,
            State::Closed | State::Spaced if matches!(byte, b' ' | b'\t') => State::Spaced,
            State::Closed | State::Spaced => {
                let detail = format!(
                    "expected the next field or the line's end after the quote that closes the field opened in line \
                     {}, found `{}`; a quote within quotes is written twice",
                    self.opened,
                    byte.escape_ascii()
                );
                self.fault.get_or_insert(Fault { line: self.line, detail });
                State::Plain
            }
        };
        self.line += u64::from(byte == b'\n');
    }
}

impl<R: Read> Read for Quotes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        if self.fault.is_none() {
            buffer[..count].iter().for_each(|&byte| self.see(byte));
            if count == 0 && !buffer.is_empty() && matches!(self.state, State::Quoted) {
                let detail = "the quote opened in this line is not closed before the end of the file".into();
                self.fault = Some(Fault { line: self.opened, detail });
            }
        }
        Ok(count)
    }
}
