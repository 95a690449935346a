//! Label columns: from the texts in a column to labels (numbers of classes) and class names.

use super::text::{listed, normal, shortened};
use super::{MOST_CLASSES, numbered_classes};
use crate::{Error, Result};
use std::collections::HashMap;
use std::path::Path;

/// The largest size of a class name in bytes. A longer text indicates that the column does not hold labels.
const LONGEST: usize = 1024;

/// The texts of a label column, with each distinct text stored once: a compressed file of some kilobytes may repeat a
/// text a million times. Together with [`classify`] at most 8 MiB + 64 N of memory for a column of N bytes.
#[derive(Default)]
pub(super) struct Texts {
    /// The distinct texts in the order of their first rows, in Unicode normalisation form C.
    distinct: Vec<String>,
    numbers: HashMap<String, u32>,
    /// For each row, the index of its text in `distinct`.
    rows: Vec<u32>,
}

impl Texts {
    /// Adds the text of the next row. `at` gives its position in the file `path`, for errors.
    pub fn push(&mut self, text: &str, path: &Path, at: impl FnOnce() -> String) -> Result<()> {
        let text = normal(text);
        if let Some(&number) = self.numbers.get(&*text) {
            self.rows.push(number);
            return Ok(());
        }
        let wrong = if text.len() > LONGEST {
            Some(format!("at most {LONGEST} bytes, found {} (`{}…`)", text.len(), shortened(&text)))
        } else if self.distinct.len() as i64 >= MOST_CLASSES {
            Some(format!("at most {MOST_CLASSES} classes in the column, found another one (`{}`)", shortened(&text)))
        } else {
            None
        };
        if let Some(wrong) = wrong {
            return Err(Error::format(path, at(), format!("expected a class of {wrong}; is this the label's column?")));
        }
        let number = self.distinct.len() as u32; // below MOST_CLASSES
        self.distinct.push(text.clone().into_owned());
        self.numbers.insert(text.into_owned(), number);
        self.rows.push(number);
        Ok(())
    }

    #[cfg(test)]
    fn collect(texts: &[&str], path: &Path) -> Result<Self> {
        let mut all = Self::default();
        for (row, text) in texts.iter().enumerate() {
            all.push(text, path, || format!("row {row}"))?;
        }
        Ok(all)
    }

    /// The first row with the distinct text `number`.
    fn first(&self, number: usize) -> usize {
        self.rows.iter().position(|&row| row as usize == number).unwrap_or_default()
    }
}

/// The labels and the class names of `texts`, found as [`TableOptions::classes`](crate::TableOptions) describes. `at`
/// gives the position of row `row` in the file `path`, for errors.
pub(super) fn classify(
    texts: &Texts,
    classes: Option<&[String]>,
    path: &Path,
    at: impl Fn(usize) -> String,
) -> Result<(Vec<i64>, Vec<String>)> {
    let classes = match classes {
        Some(classes) => classes.to_vec(),
        None => {
            let numbers: Option<Vec<i64>> = texts.distinct.iter().map(|text| text.parse().ok()).collect();
            if let Some(numbers) = numbers {
                let labels: Vec<i64> = texts.rows.iter().map(|&row| numbers[row as usize]).collect();
                let classes = numbered_classes(&labels, path, at)?;
                return Ok((labels, classes));
            }
            // Sorted as texts, `10.0` would come before `2.0`, and the missing value `nan` would be a class.
            let broken = |text: &String| text.parse::<i64>().is_err() && text.parse::<f64>().is_ok();
            if let Some(number) = texts.distinct.iter().position(broken) {
                let detail = format!(
                    "expected a class as a whole number or a text, found the number `{}`; write whole numbers, or name \
                     the classes in `TableOptions::classes`",
                    texts.distinct[number]
                );
                return Err(Error::format(path, at(texts.first(number)), detail));
            }
            let mut sorted = texts.distinct.clone();
            sorted.sort();
            sorted
        }
    };
    let numbers: HashMap<_, i64> = classes.iter().map(|name| normal(name)).zip(0..).collect();
    let label = |(number, text): (usize, &String)| {
        numbers.get(text.as_str()).copied().ok_or_else(|| {
            let detail = format!("expected one of the classes {}, found `{}`", listed(&classes), shortened(text));
            Error::format(path, at(texts.first(number)), detail)
        })
    };
    let of_text = texts.distinct.iter().enumerate().map(label).collect::<Result<Vec<_>>>()?;
    let labels = texts.rows.iter().map(|&row| of_text[row as usize]).collect();
    Ok((labels, classes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classified(texts: &[&str], classes: Option<&[&str]>) -> Result<(Vec<i64>, Vec<String>), String> {
        let strings = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
        let classes = classes.map(strings);
        let path = Path::new("x");
        Texts::collect(texts, path)
            .and_then(|texts| classify(&texts, classes.as_deref(), path, |row| format!("row {row}")))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn whole_numbers_are_classes_and_texts_are_sorted() {
        let strings = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
        assert_eq!(classified(&["2", "0"], None), Ok((vec![2, 0], strings(&["0", "1", "2"]))));
        assert_eq!(classified(&["b", "a", "b"], None), Ok((vec![1, 0, 1], strings(&["a", "b"]))));
        assert_eq!(classified(&["b", "1"], None), Ok((vec![1, 0], strings(&["1", "b"]))));
        assert_eq!(classified(&["b"], Some(&["c", "b", "a"])), Ok((vec![1], strings(&["c", "b", "a"]))));
        assert_eq!(classified(&[], None), Ok((vec![], vec![])));
    }

    #[test]
    fn labels_out_of_range_are_said() {
        let text = classified(&["0", "-1"], None).unwrap_err();
        assert_eq!(text, "x: row 1: expected a class from 0 to 65535, found -1; is this the label's column?");
        let text = classified(&["9999999999"], None).unwrap_err();
        assert!(text.contains("found 9999999999"), "{text}");
        for (texts, row, found) in [(["0.0", "10.0"], 0, "0.0"), (["1", "nan"], 1, "nan"), (["a", "1e3"], 1, "1e3")] {
            let expected = format!(
                "x: row {row}: expected a class as a whole number or a text, found the number `{found}`; write whole \
                 numbers, or name the classes in `TableOptions::classes`"
            );
            assert_eq!(classified(&texts, None), Err(expected));
        }
        let given = classified(&["10.0", "2.0"], Some(&["2.0", "10.0"])).unwrap();
        assert_eq!(given.0, [1, 0]);
        let text = classified(&["a", "d"], Some(&["a", "b"])).unwrap_err();
        assert_eq!(text, "x: row 1: expected one of the classes `a`, `b`, found `d`");
    }

    #[test]
    fn a_text_is_one_class_in_either_normal_form() {
        let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}");
        assert_eq!(
            classified(&[composed, "tea", decomposed], None).unwrap(),
            (vec![0, 1, 0], vec![composed.to_string(), "tea".to_string()])
        );
        for (text, class) in [(composed, decomposed), (decomposed, composed)] {
            let (labels, classes) = classified(&[text], Some(&["tea", class])).unwrap();
            assert_eq!((labels, classes), (vec![1], vec!["tea".to_string(), class.to_string()]));
        }
    }

    #[test]
    fn texts_that_are_no_classes_are_refused() {
        let long = "x".repeat(1025);
        let text = classified(&["a", &long], None).unwrap_err();
        assert!(text.starts_with("x: row 1: expected a class of at most 1024 bytes, found 1025 (`xxx"), "{text}");
        let many: Vec<String> = (0..=65_536).map(|n| format!("c{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let text = classified(&many, None).unwrap_err();
        assert!(text.contains("row 65536: expected a class of at most 65536 classes in the column, found"), "{text}");
        assert_eq!(classified(&many[1..], None).unwrap().1.len(), 65_536);
    }
}
