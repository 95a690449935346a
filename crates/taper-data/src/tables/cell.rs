//! A cell of a table: missing, a number or a text.

use crate::formats::text::normal;
use std::borrow::Cow;

/// The texts that stand for a missing value, in any case of letters: what pandas, R and UCI's files write.
/// None is longer than 4 bytes.
const MISSING: [&str; 10] = ["", "na", "n/a", "#n/a", "<na>", "nan", "-nan", "null", "none", "?"];

/// A cell of a table.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(not(feature = "parquet"), allow(dead_code, reason = "numbers are those of Parquet files"))]
pub(crate) enum Cell<'a> {
    Missing,
    Whole(i64),
    Number(f64),
    /// A text, which may be a number as it is written.
    Text(&'a str),
}

/// What a cell looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Missing,
    Number,
    /// Digits after a zero, such as `007`: a number would be the same as another text's.
    Code,
    /// A date or a time of day.
    Date,
    Text,
}

impl<'a> Cell<'a> {
    /// The cell of this text, without the space around it.
    pub fn of(text: &'a str) -> Self {
        let text = text.trim();
        let missing = text.len() <= 4 && MISSING.iter().any(|missing| text.eq_ignore_ascii_case(missing));
        if missing { Self::Missing } else { Self::Text(text) }
    }

    /// The value of a number, however it is written; `None` for what is missing or no number.
    pub fn number(&self) -> Option<f64> {
        match *self {
            Self::Missing => None,
            Self::Whole(value) => Some(value as f64),
            Self::Number(value) => Some(value),
            Self::Text(text) => text.parse().ok(),
        }
    }

    /// The cell as a category's name, in Unicode normalisation form C. Empty for what is missing.
    pub fn text(&self) -> Cow<'a, str> {
        match *self {
            Self::Missing => "".into(),
            Self::Whole(value) => value.to_string().into(),
            Self::Number(value) => value.to_string().into(),
            Self::Text(text) => normal(text),
        }
    }

    pub fn look(&self) -> Look {
        match *self {
            Self::Missing => Look::Missing,
            Self::Whole(_) | Self::Number(_) => Look::Number,
            Self::Text(text) => {
                let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
                match self.number() {
                    Some(_) if matches!(digits, [b'0', b'0'..=b'9', ..]) => Look::Code,
                    Some(_) => Look::Number,
                    None if is_date(text) => Look::Date,
                    None => Look::Text,
                }
            }
        }
    }
}

/// Whether `text` is a date of three numbers (`2024-01-31`, `31/1/24`, `31.01.2024`), with a time or not, or a time of day.
fn is_date(text: &str) -> bool {
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, ""));
    let groups = |text: &str, separator: char| -> Option<Vec<usize>> {
        let lengths = text.split(separator).map(|group| {
            let number = !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
            number.then_some(group.len())
        });
        lengths.collect()
    };
    let is_time = |text: &str| {
        let text = text.trim_end_matches(|c: char| c == 'Z' || c == ' ' || c.is_ascii_alphabetic());
        let text = text.split(['+', '.']).next().unwrap_or_default();
        groups(text, ':').is_some_and(|found| matches!(found[..], [1 | 2, 2] | [1 | 2, 2, 2]))
    };
    let is_day = ['-', '/', '.'].into_iter().any(|separator| {
        groups(date, separator).is_some_and(|found| matches!(found[..], [4, 1 | 2, 1 | 2] | [1 | 2, 1 | 2, 2 | 4]))
    });
    if is_day { time.is_empty() || is_time(time.trim()) } else { is_time(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_look_like_what_they_are() {
        let look = |text| Cell::of(text).look();
        for text in ["", "  ", "NA", "n/a", "NaN", "nan", "null", "NULL", "None", "?", "<NA>"] {
            assert_eq!(look(text), Look::Missing, "{text}");
        }
        for text in ["1", "-2.5", "1e-3", " +7 ", ".5", "0", "0.5", "-0.25", "inf", "33554433"] {
            assert_eq!(look(text), Look::Number, "{text}");
        }
        for text in ["007", "00", "-01", "01.5"] {
            assert_eq!(look(text), Look::Code, "{text}");
        }
        for text in
            ["2024-01-31", "31/1/24", "31.01.2024", "2024-01-31T12:30:00Z", "2024-01-31 12:30", "12:30", "9:05:07.25"]
        {
            assert_eq!(look(text), Look::Date, "{text}");
        }
        for text in ["a", "True", "555-123-4567", "192.168.0.1", "1,5", "5%", "1-2", "12:5", "2024-01-31 noon ago"] {
            assert_eq!(look(text), Look::Text, "{text}");
        }
    }

    #[test]
    fn texts_of_numbers_stay_apart() {
        assert_ne!(Cell::of("007").text(), Cell::of("7").text());
        assert_eq!(Cell::of("007").number(), Cell::of("7").number());
        assert_eq!((Cell::Whole(i64::MAX).text(), Cell::of(" x ").text()), ("9223372036854775807".into(), "x".into()));
        assert_eq!((Cell::of("cafe\u{301}").text(), Cell::Missing.number()), ("caf\u{e9}".into(), None));
    }
}
