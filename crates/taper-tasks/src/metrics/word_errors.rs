//! The word error rate: substitutions, deletions and insertions that make the reference of what was heard (V. I. Levenshtein,
//! 1966), over the words of the reference. As jiwer's `wer`.

/// Words that were heard wrongly, over any number of texts.
///
/// ```
/// use taper_tasks::metrics::WordErrors;
/// let found = WordErrors::of("one two three", "one three three") + WordErrors::of("four", "four five");
/// assert_eq!((found.errors, found.words, found.rate()), (2, 4, 0.5));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WordErrors {
    /// The least number of substitutions, deletions and insertions.
    pub errors: usize,
    /// The words of the references.
    pub words: usize,
}

impl WordErrors {
    /// Of what was said, `reference`, and what was heard, `hypothesis`: words between spaces.
    pub fn of(reference: &str, hypothesis: &str) -> Self {
        let [reference, hypothesis] = [reference, hypothesis].map(|text| text.split_whitespace().collect::<Vec<_>>());
        Self::between(&reference, &hypothesis)
    }

    /// The same of lists, such as of class numbers.
    pub fn between<T: PartialEq>(reference: &[T], hypothesis: &[T]) -> Self {
        // row[j]: the errors between the words so far and the first j words that were heard.
        let mut row: Vec<usize> = (0..=hypothesis.len()).collect();
        for (i, word) in reference.iter().enumerate() {
            let mut before = i;
            if let Some(first) = row.first_mut() {
                *first = i + 1;
            }
            for (j, heard) in hypothesis.iter().enumerate() {
                let (left, above) = (row[j], row[j + 1]);
                row[j + 1] = (before + usize::from(word != heard)).min(left + 1).min(above + 1);
                before = above;
            }
        }
        Self { errors: row.last().copied().unwrap_or_default(), words: reference.len() }
    }

    /// Errors a word of the references; without a word in any, the number of errors, as in jiwer. It may be over 1.
    pub fn rate(&self) -> f64 {
        self.errors as f64 / self.words.max(1) as f64
    }
}

impl std::ops::Add for WordErrors {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { errors: self.errors + other.errors, words: self.words + other.words }
    }
}

impl std::iter::Sum for WordErrors {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| sum + one)
    }
}
