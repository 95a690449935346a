//! What the cells of a column are, over all rows of a table: found in the first pass, in bounded memory.

use super::cell::{Cell, Look};
use std::collections::HashSet;

/// The largest number of categories of a column. More indicate an id or free text.
pub(super) const MOST_CATEGORIES: usize = 1000;

/// The longest text in bytes that is a category.
const LONGEST: usize = 256;

/// The cells of one column, counted.
#[derive(Debug, Clone, Default)]
pub(super) struct Survey {
    pub missing: u64,
    pub numbers: u64,
    pub codes: u64,
    pub dates: u64,
    pub texts: u64,
    /// Whether a number is not whole.
    pub fractions: bool,
    /// The first row with a missing value.
    pub first_missing: Option<u64>,
    /// The first row with a date, and with another text, and how these begin.
    pub first_date: Option<(u64, String)>,
    pub first_text: Option<(u64, String)>,
    /// The different texts, numbers included as they are written. Emptied when there are more than [`MOST_CATEGORIES`].
    distinct: HashSet<String>,
    /// Whether there are more different texts, or longer ones, than a column of categories has.
    pub many: bool,
    /// Whether each value is one more than the one in the row before.
    counts: Option<f64>,
    broken: bool,
    /// A type that no feature is made of, such as Parquet's timestamps.
    pub other: Option<String>,
}

impl Survey {
    /// Adds the cell in row `row`.
    pub fn see(&mut self, row: u64, cell: Cell<'_>) {
        let beginning = || cell.text().chars().take(40).collect::<String>();
        match cell.look() {
            Look::Missing => {
                self.missing += 1;
                self.first_missing.get_or_insert(row);
                self.broken = true;
                return;
            }
            Look::Number => {
                self.numbers += 1;
                let value = cell.number().unwrap_or(f64::NAN);
                self.fractions |= value.fract() != 0.0;
                self.broken |= self.counts.is_some_and(|before| before + 1.0 != value);
                self.counts = Some(value);
            }
            Look::Code => self.codes += 1,
            Look::Date => {
                self.dates += 1;
                self.first_date.get_or_insert_with(|| (row, beginning()));
            }
            Look::Text => {
                self.texts += 1;
                self.first_text.get_or_insert_with(|| (row, beginning()));
            }
        }
        if self.many {
            return;
        }
        let text = cell.text();
        if !self.distinct.contains(&*text) {
            if text.len() > LONGEST || self.distinct.len() == MOST_CATEGORIES {
                self.many = true;
                self.distinct = HashSet::new();
            } else {
                self.distinct.insert(text.into_owned());
            }
        }
    }

    /// The number of cells that are not missing.
    pub fn present(&self) -> u64 {
        self.numbers + self.codes + self.dates + self.texts
    }

    /// Whether some cell is neither missing nor a number.
    pub fn has_texts(&self) -> bool {
        self.codes + self.dates + self.texts > 0
    }

    /// The number of different texts, unless there are too many for categories.
    pub fn distinct(&self) -> Option<usize> {
        (!self.many).then_some(self.distinct.len())
    }

    /// Whether the column numbers the rows: whole numbers that go up by one, in ten rows or more.
    pub fn counts_rows(&self) -> bool {
        !self.broken && !self.fractions && !self.has_texts() && self.numbers >= 10
    }

    /// Whether the column holds whole numbers, in 20 rows or more, that are different in more than half of them.
    pub fn are_different(&self) -> bool {
        let present = self.present();
        let different = self.many || self.distinct.len() as u64 * 2 > present;
        !self.has_texts() && !self.fractions && present >= 20 && different
    }

    /// Whether so many texts are different that the column is an id or free text.
    pub fn is_id(&self) -> bool {
        let present = self.present();
        self.has_texts() && (self.many || present >= 20 && self.distinct.len() as u64 * 2 > present)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn survey<'a>(texts: impl IntoIterator<Item = &'a str>) -> Survey {
        let mut survey = Survey::default();
        texts.into_iter().enumerate().for_each(|(row, text)| survey.see(row as u64, Cell::of(text)));
        survey
    }

    #[test]
    fn kinds_are_counted() {
        let found = survey(["1", "2.5", "NA", "007", "2024-01-01", "x", "y", "x"]);
        assert_eq!((found.numbers, found.missing, found.codes, found.dates, found.texts), (2, 1, 1, 1, 3));
        assert_eq!((found.first_missing, found.first_text.clone()), (Some(2), Some((5, "x".into()))));
        assert_eq!((found.distinct(), found.fractions), (Some(6), true));
    }

    #[test]
    fn ids_and_row_numbers_are_told_from_features() {
        let numbers: Vec<String> = (0..2000).map(|i| i.to_string()).collect();
        let counting = survey(numbers.iter().map(String::as_str));
        assert!(counting.counts_rows() && !counting.is_id() && counting.distinct().is_none());
        assert!(!survey(numbers[..9].iter().map(String::as_str)).counts_rows());
        assert!(!survey(numbers.iter().map(String::as_str).chain(["7"])).counts_rows());
        assert!(!survey(["1", "2", ""].into_iter().chain(numbers[3..20].iter().map(String::as_str))).counts_rows());
        let names: Vec<String> = (0..2000).map(|i| format!("n{i}")).collect();
        assert!(survey(names.iter().map(String::as_str)).is_id());
        assert!(survey(names[..20].iter().map(String::as_str)).is_id());
        assert!(!survey(names[..19].iter().map(String::as_str)).is_id());
        assert!(!survey(names[..10].iter().chain(&names[..10]).map(String::as_str)).is_id());
        let long = "x".repeat(257);
        assert!(survey([long.as_str(), "a"]).is_id());
    }
}
