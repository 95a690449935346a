//! Texts with a label each: read from tables, and as samples of words.

use super::WordVocabulary;
use crate::{Batch, Dataset, Error, FieldSpec, Result};
use taper_backend::DType;

/// Texts with a label each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelledTexts {
    /// The texts.
    pub texts: Vec<String>,
    /// The label of each; none where labels were not asked for.
    pub labels: Vec<String>,
    /// The names of the columns that they were found in; empty where there are none.
    pub columns: [String; 2],
    /// The SHA-256 of the file or the files, in hexadecimal.
    pub checksum: String,
}

#[cfg(any(feature = "csv", feature = "parquet"))]
impl LabelledTexts {
    /// Reads the column called `text` and, unless `label` is `None`, the one called `label` of a CSV or Parquet file into
    /// memory. A column whose name is empty is found by its name: the texts in `text`, `message`, `review`, `body`, `content`,
    /// `sentence`, `comment` or `title`, the labels in `label`, `class`, `category`, `sentiment` or `target`, in any case of
    /// letters. A cell that is empty is a text without words.
    ///
    /// # Errors
    /// A file that cannot be read or is damaged, is empty or is not UTF-8 (the error says where), a missing column, a row
    /// without a label.
    pub fn open(path: impl AsRef<std::path::Path>, text: &str, label: Option<&str>) -> Result<Self> {
        Self::of(crate::TableSource::open(path, crate::CsvOptions::default())?, text, label)
    }

    /// Those of a table that was opened already, as [`open`](Self::open).
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn of(source: crate::TableSource, text: &str, label: Option<&str>) -> Result<Self> {
        let text = column(&source, text, "texts", &TEXTS)?;
        let label = label.map(|label| column(&source, label, "classes", &LABELS)).transpose()?;
        let name =
            |place: Option<usize>| place.and_then(|place| source.columns().get(place)).cloned().unwrap_or_default();
        let columns = [name(Some(text)), name(label)];
        let mut found = Self { checksum: source.checksum().into(), columns, ..Self::default() };
        source.scan(None, &mut |row, cells| {
            found.texts.push(cells.get(text).map(|cell| cell.text().into_owned()).unwrap_or_default());
            let Some(column) = label else { return Ok(()) };
            match cells.get(column).map(|cell| cell.text()) {
                Some(label) if !label.is_empty() => found.labels.push(label.into_owned()),
                _ => return Err(source.wrong(row, column, "expected a class, found nothing")),
            }
            Ok(())
        })?;
        Ok(found)
    }
}

/// Names of columns with texts, of which the first that a table has is taken.
#[cfg(any(feature = "csv", feature = "parquet"))]
const TEXTS: [&str; 8] = ["text", "message", "review", "body", "content", "sentence", "comment", "title"];
/// Names of columns with labels.
#[cfg(any(feature = "csv", feature = "parquet"))]
const LABELS: [&str; 5] = ["label", "class", "category", "sentiment", "target"];

/// The place of the column `name`, or if that is empty of the first that is called as one of `usual`.
#[cfg(any(feature = "csv", feature = "parquet"))]
fn column(source: &crate::TableSource, name: &str, what: &str, usual: &[&str]) -> Result<usize> {
    if !name.is_empty() {
        return source.find(name);
    }
    let columns = source.columns();
    let called = |usual: &&str| columns.iter().position(|column| column.trim().eq_ignore_ascii_case(usual));
    usual.iter().find_map(called).ok_or_else(|| {
        let (found, usual) = (columns.join(", "), usual.join(", "));
        let detail = format!("expected one with the {what} ({usual}), found {found}; say which it is");
        Error::format(&source.path, "columns", detail)
    })
}

/// Texts as words, with their classes. Batches have the fields `inputs`, `[N, L]` in i64, the numbers of words and behind them
/// padding up to the longest text of the batch (one at least), and `labels`, `[N]` in i64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WordSamples {
    samples: Vec<Vec<i64>>,
    labels: Vec<i64>,
}

impl WordSamples {
    /// Of `samples`, the numbers of the words of each text, with `labels`, one each.
    ///
    /// # Errors
    /// Another number of labels than of texts.
    pub fn new(samples: Vec<Vec<i64>>, labels: Vec<i64>) -> Result<Self> {
        if samples.len() != labels.len() {
            let (texts, labels) = (samples.len(), labels.len());
            return Err(Error::Argument(format!("texts: expected a label for each of {texts} texts, found {labels}")));
        }
        Ok(Self { samples, labels })
    }
}

impl Dataset for WordSamples {
    fn len(&self) -> usize {
        self.samples.len()
    }

    fn fields(&self) -> Vec<FieldSpec> {
        let inputs = FieldSpec { name: "inputs".into(), dtype: DType::I64, shape: vec![None] };
        vec![inputs, FieldSpec::new("labels", DType::I64, &[])]
    }

    fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> Result<()> {
        let wrong = |index| Error::Argument(format!("texts: expected a text below {}, found {index}", self.len()));
        let of = |&index: &usize| Some((self.samples.get(index)?, *self.labels.get(index)?));
        let found: Vec<(&Vec<i64>, i64)> =
            indices.iter().map(|index| of(index).ok_or_else(|| wrong(*index))).collect::<Result<_>>()?;
        let longest = found.iter().map(|(words, _)| words.len()).max().unwrap_or(0).max(1);
        let rows = batch.i64("inputs", &[found.len(), longest]);
        rows.fill(WordVocabulary::PADDING);
        for (row, (words, _)) in rows.chunks_exact_mut(longest).zip(&found) {
            row.iter_mut().zip(words.iter()).for_each(|(to, word)| *to = *word);
        }
        let labels = batch.i64("labels", &[found.len()]);
        labels.iter_mut().zip(&found).for_each(|(to, (_, label))| *to = *label);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_padded_to_the_longest_of_the_batch() {
        let data = WordSamples::new(vec![vec![5, 6, 7], vec![], vec![8]], vec![1, 0, 1]).unwrap();
        let mut batch = Batch::default();
        batch.clear(2);
        data.fill(0, &[2, 0], &mut batch).unwrap();
        assert_eq!(batch.i64s("inputs").unwrap(), [8, 0, 0, 5, 6, 7]);
        assert_eq!((batch.i64s("labels").unwrap(), data.len()), (&[1, 1][..], 3));
        // A text without a word is one of padding.
        batch.clear(1);
        data.fill(0, &[1], &mut batch).unwrap();
        assert_eq!((batch.i64s("inputs").unwrap(), &batch.field("inputs").unwrap().shape), (&[0][..], &vec![1, 1]));
        let text = data.fill(0, &[3], &mut batch).unwrap_err().to_string();
        assert_eq!(text, "texts: expected a text below 3, found 3");
        let text = WordSamples::new(vec![vec![1]], vec![]).unwrap_err().to_string();
        assert_eq!(text, "texts: expected a label for each of 1 texts, found 0");
    }

    #[cfg(feature = "csv")]
    #[test]
    fn columns_are_found_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let open = |content: &str, text: &str, label| {
            std::fs::write(&path, content).unwrap();
            LabelledTexts::open(&path, text, label).map_err(|error| error.to_string())
        };
        let mails = "id,Class,Message\n1,ham,\"a, b\nc\"\n2,spam,\n";
        let found = open(mails, "", Some("")).unwrap();
        assert_eq!(
            (found.texts, found.labels),
            (vec!["a, b\nc".into(), String::new()], vec!["ham".into(), "spam".into()])
        );
        assert_eq!(found.columns, ["Message", "Class"]);
        assert_eq!(open(mails, "id", None).unwrap().texts, ["1", "2"]);
        for (content, text, label, due) in [
            (mails, "body", Some(""), "columns: expected one column `body`, found 3 columns"),
            (
                "a,b\n1,2\n",
                "",
                None,
                "columns: expected one with the texts (text, message, review, body, content, sentence, comment, title), \
                 found a, b; say which it is",
            ),
            (
                "text,b\n1,2\n",
                "",
                Some(""),
                "columns: expected one with the classes (label, class, category, sentiment, target), found text, b; say \
                 which it is",
            ),
            ("text,label\na,x\nb,\n", "", Some(""), "line 3, column `label`: expected a class, found nothing"),
            ("text,label\n", "", Some(""), "file: expected at least one row, found none"),
            ("", "", Some(""), "file: expected at least one row, found none"),
        ] {
            let error = open(content, text, label).unwrap_err();
            assert!(error.contains(due), "{error}");
        }
        std::fs::write(&path, b"text,label\na,x\ncaf\xe9,y\n").unwrap();
        let error = LabelledTexts::open(&path, "", None).unwrap_err().to_string();
        assert!(error.contains("line 3") && error.contains("UTF-8"), "{error}");
    }
}
