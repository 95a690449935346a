//! Words, and runs of words, as tokens.

use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The words of texts, each with a number: a run of letters and digits in lower case, or another character that is no space,
/// such as `$`. With runs of up to n words (n-grams) these have numbers too. 0 stands for padding and 1 for any word that is
/// not among them; what is most frequent is 2.
///
/// ```
/// use taper_data::WordVocabulary;
/// let words = WordVocabulary::of(["Free money!", "money, and more money"], 1, 100, 1);
/// assert_eq!(words.encode("MONEY for free", 10), [2, 1, 6]);
/// assert_eq!((words.word(2), words.len()), (Some("money"), 8));
/// let pairs = WordVocabulary::of(["not good", "good", "not bad"], 2, 100, 1);
/// assert_eq!(pairs.encode("not good", 10).len(), 3); // "not", "good", "not good"
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct WordVocabulary {
    runs: usize,
    words: Vec<String>,
    numbers: HashMap<String, i64>,
}

/// How it is written down.
#[derive(Serialize, Deserialize)]
struct Written {
    runs: usize,
    words: Vec<String>,
}

/// Numbers that are no words: padding, and the unknown word.
const OTHERS: usize = 2;

impl WordVocabulary {
    /// The number of padding.
    pub const PADDING: i64 = 0;
    /// The number of a word that is not in the vocabulary.
    pub const UNKNOWN: i64 = 1;

    /// The words, and runs of up to `runs` words, that `texts` have at least `least` times, at most `most` of them: the most
    /// frequent, of equally frequent ones those first in the alphabet.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>, runs: usize, most: usize, least: usize) -> Self {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for text in texts {
            let words: Vec<String> = words(text).collect();
            for length in 1..=runs.max(1) {
                words.windows(length).for_each(|run| *counts.entry(run.join(" ")).or_default() += 1);
            }
        }
        let mut all: Vec<(String, usize)> = counts.into_iter().filter(|(_, count)| *count >= least).collect();
        all.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        all.truncate(most);
        Self::from(Written { runs: runs.max(1), words: all.into_iter().map(|(word, _)| word).collect() })
    }

    /// The number of numbers: those of all words and runs, of padding and of the unknown word.
    pub fn len(&self) -> usize {
        self.words.len() + OTHERS
    }

    /// Whether there is no word.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The numbers of the first `longest` words of `text`, and behind them those of the runs of words that are known.
    pub fn encode(&self, text: &str, longest: usize) -> Vec<i64> {
        let words: Vec<String> = words(text).take(longest).collect();
        let number = |word: &str| self.numbers.get(word).copied();
        let mut all: Vec<i64> = words.iter().map(|word| number(word).unwrap_or(Self::UNKNOWN)).collect();
        for length in 2..=self.runs {
            all.extend(words.windows(length).filter_map(|run| number(&run.join(" "))));
        }
        all
    }

    /// The word or run of this number; none of padding, of the unknown word and of other numbers.
    pub fn word(&self, number: i64) -> Option<&str> {
        let place = usize::try_from(number).ok()?.checked_sub(OTHERS)?;
        self.words.get(place).map(String::as_str)
    }
}

impl From<Written> for WordVocabulary {
    fn from(Written { runs, words }: Written) -> Self {
        let numbers = words.iter().cloned().zip(OTHERS as i64..).collect();
        Self { runs, words, numbers }
    }
}

impl From<WordVocabulary> for Written {
    fn from(WordVocabulary { runs, words, .. }: WordVocabulary) -> Self {
        Self { runs, words }
    }
}

/// The words of `text`, in lower case.
fn words(text: &str) -> impl Iterator<Item = String> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let run = rest.find(|char: char| !char.is_alphanumeric()).unwrap_or(rest.len());
        // A character that is neither letter nor digit is a word of its own.
        let end = if first.is_alphanumeric() { run } else { first.len_utf8() };
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word.to_lowercase())
    })
}

/// How many there are: `8 words and runs of up to 2`.
impl std::fmt::Display for WordVocabulary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.runs {
            1 => write!(f, "{} words", self.words.len()),
            runs => write!(f, "{} words and runs of up to {runs}", self.words.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        let found = |text: &str| words(text).collect::<Vec<_>>();
        assert_eq!(found("It's 50% OFF!!\r\n"), ["it", "'", "s", "50", "%", "off", "!", "!"]);
        assert_eq!(found("Größe\u{a0}É ИЛИ 日本"), ["größe", "é", "или", "日本"]);
        assert!(found(" \n\t").is_empty() && found("").is_empty());
        assert_eq!(found("\u{fffd}a\u{1f600}"), ["\u{fffd}", "a", "\u{1f600}"]);
    }

    #[test]
    fn the_most_frequent_are_kept() {
        let texts = ["b a a c", "a b d"];
        let found = WordVocabulary::of(texts, 1, 10, 1);
        assert_eq!((found.encode("a b c d e", 9), found.len(), found.is_empty()), (vec![2, 3, 4, 5, 1], 6, false));
        assert_eq!(found.encode("a b c d e", 2), [2, 3]);
        assert_eq!(WordVocabulary::of(texts, 1, 10, 2).encode("a b c d", 9), [2, 3, 1, 1]);
        assert_eq!(WordVocabulary::of(texts, 1, 1, 1).encode("a b", 9), [2, 1]);
        assert_eq!([-1, 0, 1, 2, 6].map(|number| found.word(number)), [None, None, None, Some("a"), None]);
        assert_eq!(WordVocabulary::of([], 1, 9, 1).len(), 2);
    }

    #[test]
    fn runs_are_of_neighbours_and_come_last() {
        let found = WordVocabulary::of(["not good", "not bad, good"], 2, 100, 1);
        let named = |text: &str| -> Vec<String> {
            found.encode(text, 9).iter().map(|&number| found.word(number).unwrap_or("?").into()).collect()
        };
        assert_eq!(named("Not good"), ["not", "good", "not good"]);
        assert_eq!(named("good not new bad"), ["good", "not", "?", "bad"]);
        // What is cut off is in no run.
        assert_eq!(found.encode("not good", 1).len(), 1);
        assert_eq!(found.to_string(), "8 words and runs of up to 2");
        let written = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<WordVocabulary>(&written).unwrap(), found);
    }
}
