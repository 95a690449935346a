//! Text for language models: tokenisers (characters, bytes, byte pairs with the feature `bpe`), windows and blocks of tokens,
//! texts from files, counts of runs of tokens; and texts with a class each, as words; and pairs of texts.

mod blocks;
#[cfg(feature = "bpe")]
mod bpe;
mod bytes;
mod chars;
mod conversations;
#[cfg(any(feature = "csv", feature = "parquet"))]
mod folders;
#[cfg(feature = "bpe")]
mod gpt2;
mod labelled;
mod ngrams;
mod pairs;
mod parallel;
#[cfg(feature = "bpe")]
mod pieces;
mod source;
mod tokenizer;
#[cfg(feature = "bpe")]
mod train;
mod words;

pub use blocks::TextBlocks;
#[cfg(feature = "bpe")]
pub use bpe::Bpe;
pub use bytes::ByteVocabulary;
pub use chars::CharVocabulary;
pub use conversations::{Conversations, ReplySamples};
#[cfg(any(feature = "csv", feature = "parquet"))]
pub use folders::TextFolders;
pub use labelled::{LabelledTexts, WordSamples};
pub use ngrams::NGrams;
pub use pairs::{PairSamples, TextPairs};
pub use parallel::ParallelTexts;
pub use source::TextSource;
pub use tokenizer::Tokenizer;
pub use words::WordVocabulary;

use crate::{Batch, Dataset, Error, FieldSpec, Result};
use taper_backend::DType;

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
}
