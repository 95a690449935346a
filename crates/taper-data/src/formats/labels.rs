//! From the texts in a label column to the numbers of classes.

use super::numbered_classes;
use crate::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Labels and classes of the texts in a label column, as [`TableOptions::classes`](crate::TableOptions) tells. `at`
/// tells where text `row` is in the file `path`.
pub(super) fn classify(
    texts: &[String],
    classes: Option<&[String]>,
    path: &Path,
    at: impl Fn(usize) -> String,
) -> Result<(Vec<i64>, Vec<String>)> {
    let classes = match classes {
        Some(classes) => classes.to_vec(),
        None => {
            let numbers: Option<Vec<i64>> = texts.iter().map(|text| text.parse().ok()).collect();
            if let Some(labels) = numbers {
                let classes = numbered_classes(&labels, path, at)?;
                return Ok((labels, classes));
            }
            // As texts, `10.0` would come before `2.0`, and a missing `nan` would be a class.
            let broken = |text: &String| text.parse::<i64>().is_err() && text.parse::<f64>().is_ok();
            if let Some(row) = texts.iter().position(broken) {
                let detail = format!(
                    "expected a class as a whole number or a text, found the number `{}`; write whole numbers, or name \
                     the classes in `TableOptions::classes`",
                    texts[row]
                );
                return Err(Error::format(path, at(row), detail));
            }
            texts.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect()
        }
    };
    let numbers: BTreeMap<&String, i64> = classes.iter().zip(0..).collect();
    let label = |(row, text)| {
        numbers.get(text).copied().ok_or_else(|| {
            let known = classes.iter().take(12).map(String::as_str).collect::<Vec<_>>().join("`, `");
            let more = if classes.len() > 12 { ", …" } else { "" };
            Error::format(path, at(row), format!("expected one of the classes `{known}`{more}, found `{text}`"))
        })
    };
    let labels = texts.iter().enumerate().map(label).collect::<Result<Vec<_>>>()?;
    Ok((labels, classes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classified(texts: &[&str], classes: Option<&[&str]>) -> Result<(Vec<i64>, Vec<String>), String> {
        let strings = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
        let classes = classes.map(strings);
        classify(&strings(texts), classes.as_deref(), Path::new("x"), |row| format!("row {row}"))
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
}
