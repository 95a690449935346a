//! Byte pairs as tokens. Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units", 2016,
//! over bytes as in GPT-2 (Radford et al. 2019, section 2.2): each piece of a text (`pieces.rs`) begins as its bytes, and
//! neighbours are merged, the pair that was learned first before all others, until no pair is known.

use super::pieces::pieces;
use super::{Tokenizer, tokenizer};
use crate::Result;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// A tokeniser of byte pairs: it reads and writes GPT-2's files (`vocab.json`, `merges.txt`), and is trained on a text.
/// Whatever bytes it is given, their tokens stand for the same bytes: line ends, byte order marks and composed characters
/// are left as they are.
///
/// ```
/// use taper_data::{Bpe, Tokenizer};
/// let bpe = Bpe::train(["low lower lowest, low low"], 260)?;
/// assert_eq!(bpe.tokens("low lower")?.len(), 3); // "low", " lowe", "r"
/// assert_eq!(bpe.text(&bpe.tokens("Slow? 🐢\r\n")?)?, "Slow? 🐢\r\n");
/// # Ok::<(), taper_data::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bpe {
    /// The bytes of each token.
    pub(super) tokens: Vec<Vec<u8>>,
    /// The pairs in the order in which they were learned.
    pub(super) pairs: Vec<[u32; 2]>,
    /// Of each pair its place in the order, and the token that it becomes.
    ranks: HashMap<[u32; 2], (u32, u32)>,
    /// The token of each byte.
    bytes: [u32; 256],
}

impl Bpe {
    /// A tokeniser of `tokens`, of which `bytes` are the single bytes, and of `pairs` with the tokens that they become.
    pub(super) fn new(tokens: Vec<Vec<u8>>, bytes: [u32; 256], merges: &[([u32; 2], u32)]) -> Self {
        let mut ranks = HashMap::with_capacity(merges.len());
        for (rank, (pair, merged)) in merges.iter().enumerate() {
            ranks.entry(*pair).or_insert((rank as u32, *merged));
        }
        Self { tokens, pairs: merges.iter().map(|(pair, _)| *pair).collect(), ranks, bytes }
    }

    /// The tokens of any bytes, text or not. What is no text in UTF-8 is tokenised as well, and comes back as it is.
    pub fn encode(&self, text: &[u8]) -> Vec<i64> {
        let mut seen: HashMap<&[u8], Vec<i64>> = HashMap::new();
        let mut tokens = Vec::new();
        for piece in pieces(text) {
            tokens.extend(seen.entry(piece).or_insert_with(|| self.merged(piece)).iter());
        }
        tokens
    }

    /// The token that stands for `bytes`, if one does: of `<|endoftext|>`, which no text is given.
    pub fn token(&self, bytes: &[u8]) -> Option<i64> {
        self.tokens.iter().position(|token| token == bytes).map(|token| token as i64)
    }

    /// The tokens of a piece. Takes time in proportion to n log n of its length.
    fn merged(&self, piece: &[u8]) -> Vec<i64> {
        // A list of tokens, each with the places of its neighbours; one that was merged into the one before is `None`.
        let mut tokens: Vec<Option<u32>> = piece.iter().map(|&byte| Some(self.bytes[usize::from(byte)])).collect();
        let length = tokens.len();
        let mut after: Vec<usize> = (1..=length).collect();
        let mut before: Vec<usize> = (0..length).map(|place| place.wrapping_sub(1)).collect();
        let rank = |tokens: &[Option<u32>], left: usize, right: usize| {
            let pair = [tokens.get(left).copied().flatten()?, tokens.get(right).copied().flatten()?];
            self.ranks.get(&pair).map(|&(rank, merged)| (rank, pair, merged))
        };
        let mut open = BinaryHeap::new();
        for left in 0..length {
            if let Some((rank, pair, _)) = rank(&tokens, left, left + 1) {
                open.push(Reverse((rank, left, pair)));
            }
        }
        while let Some(Reverse((due, left, pair))) = open.pop() {
            let right = after[left];
            // One of the two may have been merged with another meanwhile.
            let Some((found, same, merged)) = rank(&tokens, left, right) else { continue };
            if (found, same) != (due, pair) {
                continue;
            }
            (tokens[left], tokens[right]) = (Some(merged), None);
            after[left] = after[right];
            if let Some(next) = before.get_mut(after[right]) {
                *next = left;
            }
            for (a, b) in [(before[left], left), (left, after[left])] {
                if let Some((rank, pair, _)) = rank(&tokens, a, b) {
                    open.push(Reverse((rank, a, pair)));
                }
            }
        }
        tokens.into_iter().flatten().map(i64::from).collect()
    }
}

impl Tokenizer for Bpe {
    fn size(&self) -> usize {
        self.tokens.len()
    }

    fn tokens(&self, text: &str) -> Result<Vec<i64>> {
        Ok(self.encode(text.as_bytes()))
    }

    fn bytes(&self, tokens: &[i64]) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for &token in tokens {
            let found = usize::try_from(token).ok().and_then(|token| self.tokens.get(token));
            bytes.extend(found.ok_or_else(|| tokenizer::unknown(token, self.tokens.len()))?);
        }
        Ok(bytes)
    }
}
