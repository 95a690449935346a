//! BLEU (K. Papineni et al., "BLEU: a method for automatic evaluation of machine translation", ACL 2002): how many runs of one
//! to four words of a translation are in the reference too. The figure is that of sacrebleu (M. Post, "A call for clarity in
//! reporting BLEU scores", WMT 2018) with its defaults: of the corpus, not a mean of sentences; words by the tokeniser `13a`;
//! case counts; a precision of 0 is smoothed exponentially.

use std::collections::HashMap;
use std::str::Chars;
use taper_train::{Error, Result};

/// The longest runs of words that are compared.
pub const ORDER: usize = 4;

/// What BLEU is made of: sums over sentences, so that parts of a corpus can be added.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Bleu {
    /// Runs of 1 to 4 words that the reference has too, each at most as often as there.
    pub correct: [f64; ORDER],
    /// Runs of 1 to 4 words.
    pub total: [f64; ORDER],
    /// Words of the translations.
    pub words: f64,
    /// Words of the references.
    pub reference: f64,
}

impl Bleu {
    /// Of one translation beside its reference.
    pub fn of_sentence(translation: &str, reference: &str) -> Self {
        let [found, due] = [translation, reference].map(tokenize_13a);
        let mut sums = Self { words: found.len() as f64, reference: due.len() as f64, ..Self::default() };
        for n in 1..=ORDER {
            let mut left: HashMap<&[String], usize> = HashMap::new();
            due.windows(n).for_each(|run| *left.entry(run).or_default() += 1);
            for run in found.windows(n) {
                sums.total[n - 1] += 1.0;
                if let Some(count) = left.get_mut(run).filter(|count| **count > 0) {
                    *count -= 1;
                    sums.correct[n - 1] += 1.0;
                }
            }
        }
        sums
    }

    /// Of all translations together, each beside its reference.
    ///
    /// # Errors
    /// None at all; another number of references.
    pub fn of_corpus(translations: &[impl AsRef<str>], references: &[impl AsRef<str>]) -> Result<Self> {
        let (found, due) = (translations.len(), references.len());
        if found != due || found == 0 {
            return Err(Error::Usage(format!(
                "bleu: expected a reference for each translation, found {due} for {found}"
            )));
        }
        let of = |(found, due): (&_, &_)| Self::of_sentence(AsRef::as_ref(found), AsRef::as_ref(due));
        Ok(translations.iter().zip(references).map(of).fold(Self::default(), Self::with))
    }

    /// Both together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        let sum = |a: [f64; ORDER], b: [f64; ORDER]| std::array::from_fn(|n| a[n] + b[n]);
        Self {
            correct: sum(self.correct, other.correct),
            total: sum(self.total, other.total),
            words: self.words + other.words,
            reference: self.reference + other.reference,
        }
    }

    /// The score, 0 to 100. 0 where no word is right.
    pub fn score(&self) -> f64 {
        if self.correct.iter().all(|&correct| correct == 0.0) {
            return 0.0;
        }
        let (mut logs, mut smooth) = (0.0, 1.0);
        for (&correct, &total) in self.correct.iter().zip(&self.total) {
            // Without a run of this length there is no precision, not even a smoothed one.
            if total == 0.0 {
                return 0.0;
            }
            let precision = if correct == 0.0 {
                smooth *= 2.0;
                100.0 / (smooth * total)
            } else {
                100.0 * correct / total
            };
            logs += precision.ln();
        }
        let brevity = if self.words < self.reference { (1.0 - self.reference / self.words).exp() } else { 1.0 };
        brevity * (logs / ORDER as f64).exp()
    }

    /// The ten sums, as the numbers of a sample.
    pub fn row(&self) -> [f64; 2 * ORDER + 2] {
        let [a, b, c, d] = self.correct;
        let [e, f, g, h] = self.total;
        [a, b, c, d, e, f, g, h, self.words, self.reference]
    }

    /// Of the numbers that [`row`](Self::row) gave; `None` of another number of them.
    pub fn of_row(row: &[f64]) -> Option<Self> {
        let (correct, rest) = row.split_first_chunk()?;
        let (total, rest) = rest.split_first_chunk()?;
        let [words, reference] = *rest else { return None };
        Some(Self { correct: *correct, total: *total, words, reference })
    }
}

/// The words of a text by the tokeniser `13a` of the evaluation campaigns (mteval-v13a), as sacrebleu has it.
pub fn tokenize_13a(text: &str) -> Vec<String> {
    let text = text.trim_end().replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    let text = match text.contains('&') {
        true => text.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"),
        false => text,
    };
    // Punctuation of ASCII but for `'`, `,`, `-` and `.` stands alone.
    let mut alone = String::from(" ");
    for char in text.chars() {
        match char {
            '{'..='~' | '['..='`' | ' '..='&' | '('..='+' | ':'..='@' | '/' => alone.extend([' ', char, ' ']),
            _ => alone.push(char),
        }
    }
    alone.push(' ');
    // A period or comma is a word unless digits are on both sides; a hyphen after a digit is one.
    let point = |char: char| char == '.' || char == ',';
    let digit = |char: char| char.is_ascii_digit();
    let split = pairs(&alone, |a, b| (!digit(a) && point(b)).then(|| [a, ' ', b, ' '].iter().collect()));
    let split = pairs(&split, |a, b| (point(a) && !digit(b)).then(|| [' ', a, ' ', b].iter().collect()));
    let split = pairs(&split, |a, b| (digit(a) && b == '-').then(|| [a, ' ', b, ' '].iter().collect()));
    split.split_whitespace().map(String::from).collect()
}

/// `text` with what `becomes` gives in the place of two neighbours, from the left and none twice, as `re.sub` replaces.
fn pairs(text: &str, becomes: impl Fn(char, char) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars: Chars<'_> = text.chars();
    while let Some(a) = chars.next() {
        let next = chars.clone().next();
        match next.and_then(|b| becomes(a, b)) {
            Some(pair) => {
                out.push_str(&pair);
                chars.next();
            }
            None => out.push(a),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_those_that_sacrebleu_gives() {
        let record: serde_json::Value = serde_json::from_str(include_str!("../../tests/data/sacrebleu.json")).unwrap();
        for case in record["words"].as_array().unwrap() {
            let due: Vec<&str> = case[1].as_str().unwrap().split_whitespace().collect();
            assert_eq!(tokenize_13a(case[0].as_str().unwrap()), due, "{case}");
        }
        let list = |value: &serde_json::Value| -> Vec<String> {
            value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_string()).collect()
        };
        let cases = record["corpora"].as_array().unwrap();
        assert!(cases.len() >= 6, "{}", cases.len());
        for case in cases {
            let found = Bleu::of_corpus(&list(&case["translations"]), &list(&case["references"])).unwrap();
            let due = case["score"].as_f64().unwrap();
            assert!((found.score() - due).abs() < 1e-9, "{}: {} and {due}", case["name"], found.score());
            assert_eq!(Bleu::of_row(&found.row()), Some(found));
        }
        assert_eq!(Bleu::of_row(&[1.0; 9]), None);
        let text = Bleu::of_corpus(&["a"], &[] as &[&str]).unwrap_err().to_string();
        assert_eq!(text, "bleu: expected a reference for each translation, found 0 for 1");
    }
}
