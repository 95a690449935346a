//! Characters as tokens.

use super::Tokenizer;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// The characters of a text, each with a number: its place in the order of the characters.
///
/// ```
/// use taper_data::CharVocabulary;
/// let vocabulary = CharVocabulary::of("banana");
/// assert_eq!(vocabulary.encode("nab")?, [2, 0, 1]);
/// assert_eq!(vocabulary.decode(&[1, 0, 2]), "ban");
/// # Ok::<(), taper_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CharVocabulary(Vec<char>);

impl CharVocabulary {
    /// The vocabulary of the characters of `text`.
    pub fn of(text: &str) -> Self {
        let mut chars: Vec<char> = text.chars().collect();
        chars.sort_unstable();
        chars.dedup();
        Self(chars)
    }

    /// The number of characters.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no character.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tokens of `text`.
    ///
    /// # Errors
    /// A character that is not in the vocabulary; the error names it and its place.
    pub fn encode(&self, text: &str) -> Result<Vec<i64>> {
        let token = |(place, char): (usize, char)| match self.0.binary_search(&char) {
            Ok(token) => Ok(token as i64),
            Err(_) => Err(Error::Argument(format!(
                "vocabulary: character {} of the text, {char:?}, is none of its {} characters",
                place + 1,
                self.len()
            ))),
        };
        text.chars().enumerate().map(token).collect()
    }

    /// Whether `char` is one of the characters.
    pub fn has(&self, char: char) -> bool {
        self.0.binary_search(&char).is_ok()
    }

    /// The characters of `text` that are not in the vocabulary, each once, in their order.
    pub fn lacking(&self, text: &str) -> Vec<char> {
        let mut found: Vec<char> = text.chars().filter(|char| !self.has(*char)).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The text of `tokens`; a token that stands for no character is left out. [`Tokenizer::text`] refuses it instead.
    pub fn decode(&self, tokens: &[i64]) -> String {
        tokens.iter().filter_map(|token| usize::try_from(*token).ok().and_then(|token| self.0.get(token))).collect()
    }
}

impl Tokenizer for CharVocabulary {
    fn size(&self) -> usize {
        self.len()
    }

    fn tokens(&self, text: &str) -> Result<Vec<i64>> {
        self.encode(text)
    }

    fn bytes(&self, tokens: &[i64]) -> Result<Vec<u8>> {
        let char = |token: &i64| {
            let found = usize::try_from(*token).ok().and_then(|token| self.0.get(token));
            found.ok_or_else(|| super::tokenizer::unknown(*token, self.len()))
        };
        Ok(tokens.iter().map(char).collect::<Result<String>>()?.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_outside_the_vocabulary_is_named() {
        let text = CharVocabulary::of("abc").encode("abdc").unwrap_err().to_string();
        assert_eq!(text, "vocabulary: character 3 of the text, 'd', is none of its 3 characters");
        let vocabulary = CharVocabulary::of("abc");
        assert_eq!(vocabulary.lacking("xbécx"), ['x', 'é']);
        assert!(vocabulary.has('b') && vocabulary.lacking("cab").is_empty());
    }

    #[test]
    fn characters_go_there_and_back() {
        let text = "a\r\nb \u{feff}e\u{301}\u{e9}\u{1f600}";
        let vocabulary = CharVocabulary::of(text);
        let tokens = vocabulary.tokens(text).unwrap();
        assert_eq!((vocabulary.text(&tokens).unwrap().as_str(), vocabulary.size()), (text, 10));
        let error = vocabulary.text(&[1, 10]).unwrap_err().to_string();
        assert_eq!(error, "token 10 is none of the vocabulary's, which are 0 to 9");
    }
}
