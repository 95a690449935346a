//! Blocks of a text, of which every token is predicted.

use crate::{Batch, Dataset, Error, FieldSpec, Result};
use std::sync::Arc;
use taper_backend::{DType, RandomKey};

/// The target of what is no token: the end of a last block that the text does not fill. As in PyTorch, it counts for
/// nothing.
const NONE: i64 = -100;

/// Blocks of a text: each sample is `length` tokens and, for each of these, the token after it. Batches have the fields
/// `tokens` and `targets`, both `[N, length]` in i64. [`TextWindows`](crate::TextWindows) has one target a sample.
///
/// The blocks lie one after the other, so that every token but the first is a target once. Where the last is not full, its
/// further targets are −100, which counts for nothing. Takes 4 bytes a token.
///
/// ```
/// use taper_data::{Batch, Dataset, TextBlocks};
/// let data = TextBlocks::new([5, 6, 7, 8, 9], 3)?;
/// let mut batch = Batch::default();
/// batch.clear(2);
/// data.fill(0, &[0, 1], &mut batch)?;
/// assert_eq!(batch.i64s("tokens")?, [5, 6, 7, 8, 0, 0]);
/// assert_eq!(batch.i64s("targets")?, [6, 7, 8, 9, -100, -100]);
/// # Ok::<(), taper_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextBlocks {
    tokens: Arc<[u32]>,
    length: usize,
    /// The stream of places, of blocks that begin elsewhere in each pass.
    moved: Option<RandomKey>,
    /// Samples: all blocks, or fewer, evenly spaced.
    count: usize,
}

impl TextBlocks {
    /// The blocks of `tokens`, each of `length`.
    ///
    /// # Errors
    /// A length of 0, fewer than two tokens, a token below 0 or beyond 32 bits.
    pub fn new(tokens: impl IntoIterator<Item = i64>, length: usize) -> Result<Self> {
        let token = |token| {
            let wrong = || Error::Argument(format!("text: expected tokens from 0 to 2^32 - 1, found {token}"));
            u32::try_from(token).map_err(|_| wrong())
        };
        let tokens = tokens.into_iter().map(token).collect::<Result<Arc<[u32]>>>()?;
        if length == 0 || tokens.len() < 2 {
            let found = tokens.len();
            let detail = format!("text: expected 2 tokens or more and blocks of 1 or more, found {found} and {length}");
            return Err(Error::Argument(detail));
        }
        let count = (tokens.len() - 1).div_ceil(length);
        Ok(Self { tokens, length, moved: None, count })
    }

    /// To learn from: only full blocks, and in each pass each begins at another place, up to a block's length further on,
    /// drawn from `key`, the pass and the block's number.
    ///
    /// # Errors
    /// A text that does not fill a block.
    pub fn moved(self, key: RandomKey) -> Result<Self> {
        let (found, length) = (self.tokens.len(), self.length);
        if found <= length {
            let detail = format!("text: expected more tokens than the block's {length}, found {found}");
            return Err(Error::Argument(detail));
        }
        Ok(Self { count: (found - 1) / length, moved: Some(key), ..self })
    }

    /// At most `count` of the blocks, evenly spaced; all for 0.
    #[must_use]
    pub fn at_most(self, count: usize) -> Self {
        if count == 0 { self } else { Self { count: self.count.min(count), ..self } }
    }

    /// All tokens of the text.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// The place of the first token of sample `index` in the pass `epoch`.
    fn start(&self, epoch: u64, index: usize) -> usize {
        let all = (self.tokens.len() - 1).div_ceil(self.length);
        // In 128 bits: the product may be beyond 64.
        let block = (index as u128 * all as u128 / self.count.max(1) as u128) as usize;
        match self.moved {
            None => block * self.length,
            Some(key) => {
                let further = key.index(epoch).below(index as u64, self.length);
                (index * self.length + further).min(self.tokens.len() - 1 - self.length)
            }
        }
    }
}

impl Dataset for TextBlocks {
    fn len(&self) -> usize {
        self.count
    }

    fn fields(&self) -> Vec<FieldSpec> {
        ["tokens", "targets"].map(|name| FieldSpec::new(name, DType::I64, &[self.length])).to_vec()
    }

    fn fill(&self, epoch: u64, indices: &[usize], batch: &mut Batch) -> Result<()> {
        if let Some(index) = indices.iter().find(|index| **index >= self.count) {
            return Err(Error::Argument(format!("text: expected a block below {}, found {index}", self.count)));
        }
        for (field, later, none) in [("tokens", 0, 0), ("targets", 1, NONE)] {
            let rows = batch.i64(field, &[indices.len(), self.length]);
            for (row, &index) in rows.chunks_exact_mut(self.length).zip(indices) {
                let start = self.start(epoch, index);
                // The last token has no target, and is shown to nobody.
                let known = self.length.min(self.tokens.len() - 1 - start);
                let from = self.tokens.get(start + later..).unwrap_or_default();
                for (place, to) in row.iter_mut().enumerate() {
                    let token = from.get(place).filter(|_| place < known);
                    *to = token.map_or(none, |&token| i64::from(token));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens and the targets of some samples.
    fn filled(data: &TextBlocks, epoch: u64, indices: &[usize]) -> [Vec<i64>; 2] {
        let mut batch = Batch::default();
        batch.clear(indices.len());
        data.fill(epoch, indices, &mut batch).unwrap();
        ["tokens", "targets"].map(|name| batch.i64s(name).unwrap().to_vec())
    }

    #[test]
    fn every_token_but_the_first_is_a_target_once() {
        for (tokens, length) in [(2, 1), (2, 5), (7, 3), (8, 3), (9, 3), (10, 3), (40, 7)] {
            let data = TextBlocks::new(0..tokens, length).unwrap();
            let all: Vec<usize> = (0..data.len()).collect();
            let [inputs, targets] = filled(&data, 0, &all);
            let known = |&(_, target): &(i64, i64)| target != NONE;
            let pairs: Vec<(i64, i64)> = inputs.into_iter().zip(targets).filter(known).collect();
            assert_eq!(pairs, (0..tokens - 1).map(|i| (i, i + 1)).collect::<Vec<_>>(), "{tokens}, {length}");
        }
    }

    #[test]
    fn to_learn_from_blocks_begin_elsewhere_in_each_pass() {
        let data = TextBlocks::new(0..1000, 10).unwrap().moved(RandomKey::new(3)).unwrap();
        let all: Vec<usize> = (0..data.len()).collect();
        assert_eq!(data.len(), 99);
        let mut seen = std::collections::BTreeSet::new();
        for epoch in 0..40 {
            let [inputs, targets] = filled(&data, epoch, &all);
            assert!(inputs.iter().zip(&targets).all(|(token, target)| token + 1 == *target));
            for (i, block) in inputs.chunks(10).enumerate() {
                assert!(block.windows(2).all(|two| two[0] + 1 == two[1]));
                assert!((10 * i as i64..10 * i as i64 + 10).contains(&block[0]), "{i}: {block:?}");
            }
            seen.extend(targets);
            assert_eq!(filled(&data, epoch, &[7])[0], inputs[70..80], "a sample is the same in any batch");
        }
        assert_eq!(seen.len(), 999, "every token but the first is seen");
        assert_ne!(filled(&data, 0, &all), filled(&data, 1, &all));
    }

    #[test]
    fn fewer_blocks_are_of_all_the_text() {
        let data = TextBlocks::new(0..101, 10).unwrap().at_most(4);
        assert_eq!(data.len(), 4);
        let [inputs, _] = filled(&data, 0, &[0, 1, 2, 3]);
        assert_eq!(inputs.chunks(10).map(|block| block[0]).collect::<Vec<_>>(), [0, 20, 50, 70]);
        assert_eq!((data.clone().at_most(0).len(), data.at_most(9).len()), (4, 4));
    }

    #[test]
    fn what_cannot_be_is_told() {
        let says = |result: Result<TextBlocks>, due: &str| assert_eq!(result.unwrap_err().to_string(), due);
        says(TextBlocks::new([1, 2], 0), "text: expected 2 tokens or more and blocks of 1 or more, found 2 and 0");
        says(TextBlocks::new([1], 4), "text: expected 2 tokens or more and blocks of 1 or more, found 1 and 4");
        says(TextBlocks::new([1, -1], 4), "text: expected tokens from 0 to 2^32 - 1, found -1");
        let short = TextBlocks::new(0..4, 4).unwrap();
        says(short.clone().moved(RandomKey::new(0)), "text: expected more tokens than the block's 4, found 4");
        let mut batch = Batch::default();
        batch.clear(1);
        let text = short.fill(0, &[1], &mut batch).unwrap_err().to_string();
        assert_eq!(text, "text: expected a block below 1, found 1");
    }
}
