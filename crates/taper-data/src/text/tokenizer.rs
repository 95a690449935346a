//! What all tokenisers do.

use crate::{Error, Result};

/// Text as a list of numbers, and back. The tokens of a vocabulary of size n are 0 to n − 1.
pub trait Tokenizer: Send + Sync {
    /// The number of tokens.
    fn size(&self) -> usize;

    /// The tokens of `text`.
    ///
    /// # Errors
    /// Text for which the vocabulary has no token.
    fn tokens(&self, text: &str) -> Result<Vec<i64>>;

    /// The bytes that `tokens` stand for: those of the text, exactly, if they are all of its tokens; a character may be
    /// cut otherwise.
    ///
    /// # Errors
    /// A token that is none.
    fn bytes(&self, tokens: &[i64]) -> Result<Vec<u8>>;

    /// The text of `tokens`. Bytes that are no characters in UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// A token that is none.
    fn text(&self, tokens: &[i64]) -> Result<String> {
        let bytes = self.bytes(tokens)?;
        Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }
}

/// The error that `token` is none of the `size` tokens.
pub(super) fn unknown(token: i64, size: usize) -> Error {
    Error::Argument(match size {
        0 => format!("token {token} is none of the vocabulary's, which is empty"),
        size => format!("token {token} is none of the vocabulary's, which are 0 to {}", size - 1),
    })
}
