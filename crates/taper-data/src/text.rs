//! Text for language models: a vocabulary of characters, and windows of tokens.

use crate::{Batch, Dataset, Error, FieldSpec, Result};
use serde::{Deserialize, Serialize};
use taper_backend::DType;

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

    /// The text of `tokens`; a token that stands for no character is left out.
    pub fn decode(&self, tokens: &[i64]) -> String {
        tokens.iter().filter_map(|token| usize::try_from(*token).ok().and_then(|token| self.0.get(token))).collect()
    }
}

/// Windows of a text: each sample is `context` tokens and the token that follows. Batches have the fields `tokens`,
/// `[N, context]` in i64, and `targets`, `[N]` in i64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextWindows {
    tokens: Vec<i64>,
    context: usize,
}

impl TextWindows {
    /// All windows of `tokens`.
    ///
    /// # Errors
    /// When the text is no longer than the context, or the context is 0.
    pub fn new(tokens: Vec<i64>, context: usize) -> Result<Self> {
        if context == 0 || tokens.len() <= context {
            let found = tokens.len();
            let detail = format!("text: expected more tokens than the context of {context} (1 or more), found {found}");
            return Err(Error::Argument(detail));
        }
        Ok(Self { tokens, context })
    }

    /// The windows of the first part of the text, and those of the last `fraction` of it, which share no token.
    ///
    /// # Errors
    /// When either part is no longer than the context.
    pub fn split_off(&self, fraction: f64) -> Result<(Self, Self)> {
        let last = (self.tokens.len() as f64 * fraction.clamp(0.0, 1.0)).round() as usize;
        let (first, last) = self.tokens.split_at(self.tokens.len() - last);
        Ok((Self::new(first.to_vec(), self.context)?, Self::new(last.to_vec(), self.context)?))
    }
}

impl Dataset for TextWindows {
    fn len(&self) -> usize {
        self.tokens.len() - self.context
    }

    fn fields(&self) -> Vec<FieldSpec> {
        vec![FieldSpec::new("tokens", DType::I64, &[self.context]), FieldSpec::new("targets", DType::I64, &[])]
    }

    fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> Result<()> {
        let window = |index: usize| {
            self.tokens
                .get(index..=index.saturating_add(self.context))
                .ok_or_else(|| Error::Argument(format!("text: expected a window below {}, found {index}", self.len())))
        };
        let rows = batch.i64("tokens", &[indices.len(), self.context]);
        for (row, &index) in rows.chunks_exact_mut(self.context).zip(indices) {
            row.copy_from_slice(&window(index)?[..self.context]);
        }
        for (target, &index) in batch.i64("targets", &[indices.len()]).iter_mut().zip(indices) {
            *target = window(index)?[self.context];
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_what_follows_in_the_text() {
        let data = TextWindows::new(vec![5, 6, 7, 8, 9], 3).unwrap();
        let mut batch = Batch::default();
        batch.clear(2);
        data.fill(0, &[1, 0], &mut batch).unwrap();
        assert_eq!(batch.i64s("tokens").unwrap(), [6, 7, 8, 5, 6, 7]);
        assert_eq!((batch.i64s("targets").unwrap(), data.len()), (&[9, 8][..], 2));
        batch.clear(1);
        let text = data.fill(0, &[2], &mut batch).unwrap_err().to_string();
        assert_eq!(text, "text: expected a window below 2, found 2");
    }

    #[test]
    fn the_parts_of_a_text_share_no_token() {
        let data = TextWindows::new((0..10).collect(), 2).unwrap();
        let (train, held_out) = data.split_off(0.4).unwrap();
        assert_eq!((train.tokens, held_out.tokens), ((0..6).collect(), (6..10).collect()));
        let text = data.split_off(0.1).unwrap_err().to_string();
        assert_eq!(text, "text: expected more tokens than the context of 2 (1 or more), found 1");
        assert!(TextWindows::new(vec![1], 0).is_err());
    }

    #[test]
    fn a_character_outside_the_vocabulary_is_named() {
        let text = CharVocabulary::of("abc").encode("abdc").unwrap_err().to_string();
        assert_eq!(text, "vocabulary: character 3 of the text, 'd', is none of its 3 characters");
    }
}
