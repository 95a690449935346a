//! Bytes as tokens.

use super::{Tokenizer, tokenizer};
use crate::Result;

/// The 256 bytes as tokens: of any text and of anything else, without a vocabulary that could lack something.
///
/// ```
/// use taper_data::{ByteVocabulary, Tokenizer};
/// assert_eq!(ByteVocabulary.tokens("né")?, [110, 195, 169]);
/// assert_eq!(ByteVocabulary.text(&[110, 195, 169])?, "né");
/// # Ok::<(), taper_data::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByteVocabulary;

impl Tokenizer for ByteVocabulary {
    fn size(&self) -> usize {
        256
    }

    fn tokens(&self, text: &str) -> Result<Vec<i64>> {
        Ok(text.bytes().map(i64::from).collect())
    }

    fn bytes(&self, tokens: &[i64]) -> Result<Vec<u8>> {
        tokens.iter().map(|token| u8::try_from(*token).map_err(|_| tokenizer::unknown(*token, 256))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_character_is_shown_and_a_number_beyond_refused() {
        assert_eq!(ByteVocabulary.text(&[110, 195]).unwrap(), "n\u{fffd}");
        let text = ByteVocabulary.bytes(&[1, 256]).unwrap_err().to_string();
        assert_eq!(text, "token 256 is none of the vocabulary's, which are 0 to 255");
        assert!(ByteVocabulary.bytes(&[-1]).is_err());
    }
}
