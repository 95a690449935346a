//! Learning byte pairs from a text: again and again the pair that occurs most often, of equally many that of the smaller
//! tokens, becomes a token, until there are enough or no pair occurs twice.

use super::Bpe;
use super::pieces::pieces;
use crate::{Error, Result};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};

/// The 256 bytes in the order of GPT-2's vocabulary: those that print as one character, then the others.
pub(super) fn bytes_in_order() -> [u8; 256] {
    let prints = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
    let others = (0..=255).filter(|byte| !prints(byte));
    let mut all = (0..=255).filter(prints).chain(others);
    std::array::from_fn(|_| all.next().unwrap_or_default())
}

/// A piece that occurs `count` times, as tokens.
struct Word {
    tokens: Vec<u32>,
    count: u64,
}

impl Bpe {
    /// A tokeniser of `size` tokens, or fewer if the text is too short: the 256 bytes, and the pairs that are learned from
    /// `texts`, between which none is learned. The same texts give the same tokeniser.
    ///
    /// # Errors
    /// A size below 256, or over 2³¹.
    pub fn train<'a>(texts: impl IntoIterator<Item = &'a str>, size: usize) -> Result<Self> {
        if !(256..=1 << 31).contains(&size) {
            return Err(Error::Argument(format!("bpe: expected a vocabulary of 256 to 2^31 tokens, found {size}")));
        }
        let order = bytes_in_order();
        let mut bytes = [0; 256];
        (0_u32..).zip(order).for_each(|(token, byte)| bytes[usize::from(byte)] = token);
        let mut tokens: Vec<Vec<u8>> = order.iter().map(|&byte| vec![byte]).collect();
        let mut known: HashMap<Vec<u8>, u32> =
            (0..).zip(&tokens).map(|(token, bytes)| (bytes.clone(), token)).collect();

        let mut pieces_: BTreeMap<&[u8], u64> = BTreeMap::new();
        for text in texts {
            pieces(text.as_bytes()).for_each(|piece| *pieces_.entry(piece).or_default() += 1);
        }
        let word = |(piece, count): (&[u8], u64)| {
            let tokens = piece.iter().map(|&byte| bytes[usize::from(byte)]).collect();
            Word { tokens, count }
        };
        let mut words: Vec<Word> = pieces_.into_iter().map(word).collect();

        // How often each pair occurs, and in which words.
        let mut counts: HashMap<[u32; 2], u64> = HashMap::new();
        let mut places: HashMap<[u32; 2], HashSet<usize>> = HashMap::new();
        for (place, word) in words.iter().enumerate() {
            for pair in word.tokens.array_windows::<2>() {
                *counts.entry(*pair).or_default() += word.count;
                places.entry(*pair).or_default().insert(place);
            }
        }
        let mut open: BinaryHeap<(u64, Reverse<[u32; 2]>)> =
            counts.iter().map(|(pair, count)| (*count, Reverse(*pair))).collect();
        let mut merges = Vec::new();
        while tokens.len() < size {
            let Some((count, Reverse(pair))) = open.pop() else { break };
            let now = counts.get(&pair).copied().unwrap_or_default();
            if now != count {
                // It became rarer since.
                if now > 1 {
                    open.push((now, Reverse(pair)));
                }
                continue;
            }
            if count < 2 {
                break;
            }
            let [left, right] = pair.map(|token| tokens.get(token as usize).cloned().unwrap_or_default());
            let joined = [left, right].concat();
            // Two pairs may become one token: a, bc and ab, c.
            let merged = *known.entry(joined.clone()).or_insert_with(|| {
                tokens.push(joined);
                tokens.len() as u32 - 1
            });
            merges.push((pair, merged));
            let mut touched: HashSet<[u32; 2]> = HashSet::new();
            for place in places.remove(&pair).unwrap_or_default() {
                let Some(Word { tokens, count }) = words.get_mut(place) else { continue };
                for old in tokens.array_windows::<2>() {
                    if let Some(found) = counts.get_mut(old) {
                        *found = found.saturating_sub(*count);
                    }
                }
                merge(tokens, pair, merged);
                for new in tokens.array_windows::<2>() {
                    *counts.entry(*new).or_default() += *count;
                    places.entry(*new).or_default().insert(place);
                    if new.contains(&merged) {
                        touched.insert(*new);
                    }
                }
            }
            open.extend(
                touched.into_iter().map(|pair| (counts.get(&pair).copied().unwrap_or_default(), Reverse(pair))),
            );
        }
        Ok(Self::new(tokens, bytes, &merges))
    }

    /// The pairs in the order in which they were learned, of which [`of_merges`](Self::of_merges) makes the same tokeniser
    /// again.
    pub fn merges(&self) -> &[[u32; 2]] {
        &self.pairs
    }

    /// The tokeniser that was trained, from its pairs: the 256 bytes come first, and each pair makes the next token, unless
    /// there is one of these bytes.
    ///
    /// # Errors
    /// A pair with a token that there is none of before it.
    pub fn of_merges(pairs: &[[u32; 2]]) -> Result<Self> {
        let order = bytes_in_order();
        let mut bytes = [0; 256];
        (0_u32..).zip(order).for_each(|(token, byte)| bytes[usize::from(byte)] = token);
        let mut tokens: Vec<Vec<u8>> = order.iter().map(|&byte| vec![byte]).collect();
        let mut known: HashMap<Vec<u8>, u32> =
            (0..).zip(&tokens).map(|(token, bytes)| (bytes.clone(), token)).collect();
        let mut merges = Vec::with_capacity(pairs.len());
        for (place, &pair) in pairs.iter().enumerate() {
            let [left, right] = pair.map(|token| tokens.get(token as usize).cloned());
            let (Some(left), Some(right)) = (left, right) else {
                let count = tokens.len();
                let detail =
                    format!("pair {place} is of tokens {} and {}, there are {count} before it", pair[0], pair[1]);
                return Err(Error::Argument(format!("bpe: {detail}")));
            };
            let joined = [left, right].concat();
            let merged = *known.entry(joined.clone()).or_insert_with(|| {
                tokens.push(joined);
                tokens.len() as u32 - 1
            });
            merges.push((pair, merged));
        }
        Ok(Self::new(tokens, bytes, &merges))
    }
}

/// Replaces each `pair` in `tokens`, from the left.
fn merge(tokens: &mut Vec<u32>, pair: [u32; 2], merged: u32) {
    let mut kept = 0;
    let mut at = 0;
    while at < tokens.len() {
        let both = tokens.get(at..at + 2) == Some(&pair[..]);
        tokens[kept] = if both { merged } else { tokens[at] };
        at += if both { 2 } else { 1 };
        kept += 1;
    }
    tokens.truncate(kept);
}
