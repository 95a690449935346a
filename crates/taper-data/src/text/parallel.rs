//! Texts and their translations in two files for each split, line by line: `train.de` and `train.en`, or `de.train` and
//! `en.train`.

use super::TextPairs;
use super::source::read;
use crate::image::hex;
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The names of the splits in those of files; the first of each is that of the split.
const SPLITS: [&[&str]; 3] = [&["train"], &["dev", "val", "valid", "validation"], &["test"]];

/// Texts in two languages by split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParallelTexts {
    /// The names of the two languages, as the files are called: that of the texts, and that of what they become.
    pub languages: [String; 2],
    /// The pairs to learn from.
    pub train: TextPairs,
    /// Those to validate on, if there are files for them.
    pub validation: Option<TextPairs>,
    /// Those of the test.
    pub test: TextPairs,
    /// The number of pairs in all splits that were left out because a text of theirs is empty.
    pub left_out: usize,
}

impl ParallelTexts {
    /// Reads the two files of each split in the folder `dir`: `SPLIT.LANGUAGE` or `LANGUAGE.SPLIT`, of which the splits are
    /// `train`, `test`, and perhaps one of `dev`, `val`, `valid` and `validation`. Line n of one file belongs to line n of the other.
    /// Texts are of the language that comes first in the folder's name, if that is `A_to_B` or `A-B`, or else in the alphabet. Files
    /// of other names are not read.
    ///
    /// Memory: all texts, and two files while they are read.
    ///
    /// # Errors
    /// A split to learn from or to test on that is not there, or has other than two files, or other languages; files of different
    /// numbers of lines; a file that cannot be read, is empty or is not UTF-8; a split of empty texts alone.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        let dir = dir.as_ref();
        let [train, validation, test] = files_of(dir)?;
        if train.is_empty() {
            let detail =
                "expected train.tsv, or two files such as train.de and train.en, or de.train and en.train, found none";
            return Err(Error::format(dir, "splits", detail));
        }
        let names: Vec<&str> = train.keys().map(String::as_str).collect();
        let [first, second] = names[..] else {
            let (found, names) = (names.len(), names.join(", "));
            let detail = format!("expected files of two languages to learn from, found {found} ({names})");
            return Err(Error::format(dir, "languages", detail));
        };
        let called = dir.file_name().unwrap_or_default();
        let turned = [format!("{second}_to_{first}"), format!("{second}-{first}")].iter().any(|name| called == &**name);
        let languages = if turned { [second, first] } else { [first, second] }.map(String::from);
        let mut left_out = 0;
        let mut read = |split: &BTreeMap<String, PathBuf>, what: &str| {
            let files = languages.each_ref().map(|language| split.get(language));
            match files {
                [Some(first), Some(second)] if split.len() == 2 => pairs(first, second, &mut left_out),
                _ => {
                    let found: Vec<&str> = split.keys().map(String::as_str).collect();
                    let found = if found.is_empty() { "none".into() } else { found.join(", ") };
                    let detail = format!("expected files of {first} and {second} for `{what}`, found {found}");
                    Err(Error::format(dir, "languages", detail))
                }
            }
        };
        let (train, tested) = (read(&train, "train")?, read(&test, "test")?);
        let validation = if validation.is_empty() { None } else { Some(read(&validation, "dev")?) };
        Ok(Self { languages, train, validation, test: tested, left_out })
    }
}

/// The files of each split in `dir` by language.
fn files_of(dir: &Path) -> Result<[BTreeMap<String, PathBuf>; 3]> {
    let mut found = [const { BTreeMap::new() }; 3];
    let split = |name: &str| SPLITS.iter().position(|names| names.contains(&name));
    for entry in fs::read_dir(dir).map_err(Error::io("read the folder", dir))? {
        let path = entry.map_err(Error::io("read the folder", dir))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some((before, after)) = name.split_once('.').filter(|(before, _)| !before.is_empty()) else { continue };
        let (place, language) = match (split(before), split(after)) {
            (Some(place), _) => (place, after),
            (None, Some(place)) => (place, before),
            (None, None) => continue,
        };
        if language.contains('.') || path.is_dir() {
            continue;
        }
        let language = language.to_string();
        if let Some(other) = found[place].insert(language, path.clone()) {
            let [first, second] = if other < path { [other, path] } else { [path, other] };
            let detail = format!("expected one file of a language for a split, found {} too", first.display());
            return Err(Error::format(&second, "splits", detail));
        }
    }
    Ok(found)
}

/// The pairs of lines in two files. `left_out` is raised by the number of those of which a text is empty.
fn pairs(first: &Path, second: &Path, left_out: &mut usize) -> Result<TextPairs> {
    let mut hash = Sha256::new();
    let texts = [read(first, &mut hash)?, read(second, &mut hash)?];
    let [lines, others] = texts.each_ref().map(|text| text.lines().count());
    if lines != others {
        let detail = format!("expected {lines}, as many as in {}, found {others}", first.display());
        return Err(Error::format(second, "lines", detail));
    }
    let all = texts[0].lines().zip(texts[1].lines()).map(|(first, second)| [first, second].map(str::trim));
    let pairs: Vec<_> =
        all.filter(|pair| pair.iter().all(|text| !text.is_empty())).map(|pair| pair.map(String::from)).collect();
    if pairs.is_empty() {
        let detail = format!("expected a text in a line here and in that of {}, found none", first.display());
        return Err(Error::format(second, "file", detail));
    }
    *left_out += lines - pairs.len();
    Ok(TextPairs { pairs, checksum: hex(&hash.finalize()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of files, and what is in them.
    type Files<'a> = Vec<(&'a str, &'a [u8])>;

    /// A folder called `name` with `files`.
    fn place(name: &str, files: &[(&str, &[u8])]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join(name);
        fs::create_dir(&dir).unwrap();
        files.iter().for_each(|(name, bytes)| fs::write(dir.join(name), bytes).unwrap());
        (folder, dir)
    }

    fn open(name: &str, files: &[(&str, &[u8])]) -> Result<ParallelTexts> {
        let (_folder, dir) = place(name, files);
        ParallelTexts::open(dir)
    }

    const TALKS: [(&str, &[u8]); 7] = [
        ("pt.train", "um\r\n\ntrês \nquatro".as_bytes()),
        ("en.train", b"one\ntwo\nthree\n \n"),
        ("pt.dev", b"cinco\n"),
        ("en.dev", b"five\n"),
        ("pt.test", b"seis"),
        ("en.test", b"six"),
        ("README.md", b"\xff"),
    ];

    fn of(pairs: &[[&str; 2]]) -> Vec<[String; 2]> {
        pairs.iter().map(|pair| pair.map(String::from)).collect()
    }

    #[test]
    fn lines_of_two_files_are_pairs() {
        let found = open("pt_to_en", &TALKS).unwrap();
        assert_eq!(found.languages, ["pt", "en"]);
        assert_eq!(found.train.pairs, of(&[["um", "one"], ["três", "three"]]));
        let validation = found.validation.unwrap().pairs;
        assert_eq!(
            (validation, found.test.pairs, found.left_out),
            (of(&[["cinco", "five"]]), of(&[["seis", "six"]]), 2)
        );
        // The folder's name, or the alphabet, says which comes first.
        for (name, due) in [("pt-en", "pt"), ("talks", "en"), ("en-pt", "en"), ("en_to_pt", "en")] {
            assert_eq!(open(name, &TALKS).unwrap().languages[0], due, "{name}");
        }
        let mut other = TALKS;
        other[0].1 = "um\r\n\ntrês\nquatro".as_bytes();
        assert_ne!(open("pt_to_en", &other).unwrap().train.checksum, found.train.checksum);
    }

    #[test]
    fn the_split_may_come_first_in_the_name() {
        let files: [(&str, &[u8]); 6] = [
            ("train.de", b"ein Hund"),
            ("train.en", b"a dog"),
            ("test.de", b"nein"),
            ("test.en", b"no"),
            ("train.tok.en", b"\xff"),
            (".train.en", b"\xff"),
        ];
        let found = open("all", &files).unwrap();
        assert_eq!((found.languages, found.validation), (["de".into(), "en".into()], None));
        assert_eq!((found.train.pairs, found.test.pairs), (of(&[["ein Hund", "a dog"]]), of(&[["nein", "no"]])));
    }

    #[test]
    fn what_is_no_pair_of_files_is_told() {
        let told = |change: &dyn Fn(&mut Files<'_>)| {
            let mut files = TALKS.to_vec();
            change(&mut files);
            let (folder, dir) = place("pt_to_en", &files);
            let text = ParallelTexts::open(dir).unwrap_err().to_string();
            text.replace(&*folder.path().to_string_lossy(), "DIR")
        };
        let lines = told(&|files| files[1].1 = b"one\ntwo\nthree\n");
        assert_eq!(lines, "DIR/pt_to_en/en.train: lines: expected 4, as many as in DIR/pt_to_en/pt.train, found 3");
        let three = told(&|files| files.push(("fr.train", b"un")));
        let due = "DIR/pt_to_en: languages: expected files of two languages to learn from, found 3 (en, fr, pt)";
        assert_eq!(three, due);
        let one = told(&|files| files.retain(|(name, _)| *name != "en.train"));
        assert_eq!(one, "DIR/pt_to_en: languages: expected files of two languages to learn from, found 1 (pt)");
        let none = told(&|files| files.truncate(0));
        let due = "DIR/pt_to_en: splits: expected train.tsv, or two files such as train.de and train.en, or de.train and en.train, \
                   found none";
        assert_eq!(none, due);
        let test = told(&|files| files.retain(|(name, _)| !name.ends_with(".test")));
        assert_eq!(test, "DIR/pt_to_en: languages: expected files of en and pt for `test`, found none");
        let dev = told(&|files| files[2].0 = "fr.dev");
        assert_eq!(dev, "DIR/pt_to_en: languages: expected files of en and pt for `dev`, found en, fr");
        let twice = told(&|files| files.push(("train.en", b"one")));
        let due = "DIR/pt_to_en/train.en: splits: expected one file of a language for a split, found DIR/pt_to_en/en.train too";
        assert_eq!(twice, due);
        let latin = told(&|files| files[5].1 = b"caf\xe9");
        assert!(latin.starts_with("DIR/pt_to_en/en.test: line 1, byte 4: expected text in UTF-8, found the byte 0xE9"));
        let empty = told(&|files| files[4].1 = b"");
        assert_eq!(empty, "DIR/pt_to_en/pt.test: file: it is empty; expected a text");
        let blank = told(&|files| files[4].1 = b" \n");
        let due = "DIR/pt_to_en/en.test: file: expected a text in a line here and in that of DIR/pt_to_en/pt.test, found none";
        assert_eq!(blank, due);
    }
}
