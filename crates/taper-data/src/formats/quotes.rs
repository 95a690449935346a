//! Checks the quotes of a CSV file (RFC 4180, section 2, rules 5 to 7).

use std::io::{self, Read};

/// A reader that passes on the bytes of another reader and checks their quotes. The check is needed because the csv
/// crate reads a field whose quote is never closed up to the end of the file, with all the rows in it.
pub(crate) struct Quotes<R> {
    inner: R,
    delimiter: u8,
    state: FieldState,
    line: u64,
    /// The line in which the last quoted field began, from 1.
    opened: u64,
    /// The number of bytes of a byte order mark that were read. The mark is not part of the first field.
    mark: usize,
    fault: Option<Fault>,
}

/// A missing or extra quote: its line, from 1, and the message.
pub(crate) struct Fault {
    pub line: u64,
    pub detail: String,
}

enum FieldState {
    /// Before the first byte of a field.
    Start,
    /// In an unquoted field.
    Plain,
    /// In a quoted field, between its quotes.
    Quoted,
    /// After a quote in a quoted field: the closing quote, or the first of a doubled quote.
    Closed,
    /// In space after the closing quote.
    Spaced,
}

const MARK: &[u8] = b"\xEF\xBB\xBF";

impl<R> Quotes<R> {
    pub fn new(inner: R, delimiter: u8) -> Self {
        Self { inner, delimiter, state: FieldState::Start, line: 1, opened: 1, mark: 0, fault: None }
    }

    /// The reader whose bytes are passed on.
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// The first fault in the bytes read so far.
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
            FieldState::Start if byte == b'"' => {
                self.opened = self.line;
                FieldState::Quoted
            }
            FieldState::Closed if byte == b'"' => FieldState::Quoted,
            FieldState::Quoted if byte == b'"' => FieldState::Closed,
            FieldState::Quoted => FieldState::Quoted,
            FieldState::Start | FieldState::Plain | FieldState::Closed | FieldState::Spaced if ends => {
                FieldState::Start
            }
            FieldState::Start | FieldState::Plain => FieldState::Plain,
            FieldState::Closed | FieldState::Spaced if matches!(byte, b' ' | b'\t') => FieldState::Spaced,
            FieldState::Closed | FieldState::Spaced => {
                let detail = format!(
                    "expected the next field or the line's end after the quote that closes the field opened in line \
                     {}, found `{}`; a quote within quotes is written twice",
                    self.opened,
                    byte.escape_ascii()
                );
                self.fault.get_or_insert(Fault { line: self.line, detail });
                FieldState::Plain
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
            if count == 0 && !buffer.is_empty() && matches!(self.state, FieldState::Quoted) {
                let detail = "the quote opened in this line is not closed before the end of the file".into();
                self.fault = Some(Fault { line: self.opened, detail });
            }
        }
        Ok(count)
    }
}
