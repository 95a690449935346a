//! Texts in two languages, or in two ways of writing: read from files, and as samples of tokens.

use crate::{Batch, Dataset, Error, FieldSpec, Result};
use sha2::{Digest, Sha256};
use std::path::Path;
use taper_backend::{DType, files};

/// Texts and what each should become, as many of both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextPairs {
    /// The texts, each with what it should become.
    pub pairs: Vec<[String; 2]>,
    /// The SHA-256 of the file, in hexadecimal.
    pub checksum: String,
}

impl TextPairs {
    /// Reads a file of pairs: a line each, the text, a tab, and what it should become; or, where its name ends in `.csv`, two
    /// fields with a comma between them, which may be quoted (feature `csv`), under a line with the columns' names. Lines
    /// without anything are left out.
    ///
    /// # Errors
    /// A file that cannot be read, is empty or is not UTF-8; a line without two texts. The error says where.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
            return of_csv(path);
        }
        let bytes = files::read(path).map_err(Error::io("read", path))?;
        let checksum = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let mut pairs = Vec::new();
        for (i, line) in super::source::text(bytes, path)?.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
            let [source, target] = fields[..] else {
                let found = fields.len();
                let detail =
                    format!("expected two columns with a tab between them, a text and what it becomes, found {found}");
                return Err(Error::format(path, format!("line {}", i + 1), detail));
            };
            if source.is_empty() || target.is_empty() {
                let column = if source.is_empty() { "first" } else { "second" };
                let detail = format!("expected a text in both columns, found none in the {column}");
                return Err(Error::format(path, format!("line {}", i + 1), detail));
            }
            pairs.push([source.to_string(), target.to_string()]);
        }
        if pairs.is_empty() {
            return Err(Error::format(path, "file", "expected pairs of texts, a line each, found none"));
        }
        Ok(Self { pairs, checksum })
    }
}

#[cfg(not(feature = "csv"))]
fn of_csv(path: &Path) -> Result<TextPairs> {
    Err(Error::format(path, "file", "expected a file of lines with tabs: CSV needs taper-data's feature `csv`"))
}

#[cfg(feature = "csv")]
fn of_csv(path: &Path) -> Result<TextPairs> {
    let source = crate::TableSource::open(path, crate::CsvOptions::default())?;
    let found = source.columns().len();
    if found != 2 {
        let detail = format!("expected two columns, a text and what it becomes, found {found}");
        return Err(Error::format(path, "columns", detail));
    }
    let mut pairs = Vec::with_capacity(source.len());
    source.scan(None, &mut |row, cells| {
        let texts = [0, 1].map(|column| cells.get(column).map(|cell| cell.text().into_owned()).unwrap_or_default());
        if let Some(column) = texts.iter().position(String::is_empty) {
            return Err(source.wrong(row, column, "expected a text, found none"));
        }
        pairs.push(texts);
        Ok(())
    })?;
    Ok(TextPairs { pairs, checksum: source.checksum().into() })
}

/// Pairs of lists of tokens. Batches have the fields `source`, `[N, S]`, and `target`, `[N, T + 1]`, both i64, padded behind the
/// tokens to the longest of the batch: a target begins with the token [`START`](Self::START) and ends with
/// [`END`](Self::END), a source ends with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairSamples {
    samples: Vec<[Vec<i64>; 2]>,
}

impl PairSamples {
    /// The token of padding.
    pub const PADDING: i64 = 0;
    /// The token with which a target begins.
    pub const START: i64 = 1;
    /// The token with which a text ends.
    pub const END: i64 = 2;
    /// The number of these tokens; those of texts are this much more than the tokeniser's.
    pub const OWN: i64 = 3;

    /// Of `samples`, each the tokeniser's tokens of a text and of what it should become.
    pub fn new(samples: Vec<[Vec<i64>; 2]>) -> Self {
        Self { samples }
    }

    /// A text's tokens as the model reads them.
    pub fn source(tokens: &[i64]) -> Vec<i64> {
        tokens.iter().map(|token| token + Self::OWN).chain([Self::END]).collect()
    }

    /// The tokeniser's tokens of what a model wrote after [`START`](Self::START), up to the end.
    pub fn written(tokens: &[i64]) -> Vec<i64> {
        let text = tokens.iter().take_while(|token| **token != Self::END);
        text.filter(|token| **token >= Self::OWN).map(|token| token - Self::OWN).collect()
    }
}

impl Dataset for PairSamples {
    fn len(&self) -> usize {
        self.samples.len()
    }

    fn fields(&self) -> Vec<FieldSpec> {
        ["source", "target"].map(|name| FieldSpec { name: name.into(), dtype: DType::I64, shape: vec![None] }).into()
    }

    fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> Result<()> {
        let wrong = |index| Error::Argument(format!("pairs: expected one below {}, found {index}", self.len()));
        let found: Vec<&[Vec<i64>; 2]> =
            indices.iter().map(|&i| self.samples.get(i).ok_or_else(|| wrong(i))).collect::<Result<_>>()?;
        let sources = found.iter().map(|[source, _]| Self::source(source));
        fill("source", sources.collect(), batch);
        let targets = found.iter().map(|[_, target]| [vec![Self::START], Self::source(target)].concat());
        fill("target", targets.collect(), batch);
        Ok(())
    }
}

fn fill(name: &'static str, rows: Vec<Vec<i64>>, batch: &mut Batch) {
    let longest = rows.iter().map(Vec::len).max().unwrap_or(1).max(1);
    let field = batch.i64(name, &[rows.len(), longest]);
    field.fill(PairSamples::PADDING);
    for (to, row) in field.chunks_exact_mut(longest).zip(&rows) {
        to.iter_mut().zip(row).for_each(|(to, token)| *to = *token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_padded_between_their_own_tokens() {
        let data = PairSamples::new(vec![[vec![5, 6], vec![7]], [vec![], vec![8, 9, 0]]]);
        let mut batch = Batch::default();
        batch.clear(2);
        data.fill(0, &[1, 0], &mut batch).unwrap();
        assert_eq!(batch.i64s("source").unwrap(), [2, 0, 0, 8, 9, 2]);
        assert_eq!(batch.i64s("target").unwrap(), [1, 11, 12, 3, 2, 1, 10, 2, 0, 0]);
        assert_eq!(PairSamples::written(&[11, 0, 12, 3, 2, 5]), [8, 9, 0]);
        let text = data.fill(0, &[2], &mut batch).unwrap_err().to_string();
        assert_eq!(text, "pairs: expected one below 2, found 2");
    }

    #[test]
    fn lines_without_two_texts_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            TextPairs::open(&path).map(|found| found.pairs).map_err(|error| error.to_string())
        };
        let pair = |a: &str, b: &str| [a.to_string(), b.to_string()];
        assert_eq!(of("a.tsv", b"a \"b\tc, d\r\n\n\xc3\xa9\tf").unwrap(), [pair("a \"b", "c, d"), pair("\u{e9}", "f")]);
        let columns = "expected two columns with a tab between them, a text and what it becomes";
        for (bytes, due) in [
            (&b"a\tb\nc d\n"[..], &format!("line 2: {columns}, found 1")[..]),
            (b"a\tb\tc\n", &format!("line 1: {columns}, found 3")),
            (b"a\tb\nc\t \n", "line 2: expected a text in both columns, found none in the second"),
            (b"", "it is empty; expected a text"),
            (b"\n \n", "expected pairs of texts, a line each, found none"),
            (b"a\tb\ncaf\xe9\tc\n", "line 2, byte 8: expected text in UTF-8, found the byte 0xE9"),
        ] {
            let text = of("b.tsv", bytes).unwrap_err();
            assert!(text.contains(due), "{text}");
        }
        #[cfg(feature = "csv")]
        {
            assert_eq!(of("c.csv", b"en,es\n\"a, b\",c\n").unwrap(), [pair("a, b", "c")]);
            let text = of("c.csv", b"en,es,de\na,b,c\n").unwrap_err();
            assert!(text.contains("columns: expected two columns, a text and what it becomes, found 3"), "{text}");
            let text = of("c.csv", b"en,es\na,\n").unwrap_err();
            assert!(text.contains("line 2, column `es`: expected a text, found none"), "{text}");
        }
    }
}
