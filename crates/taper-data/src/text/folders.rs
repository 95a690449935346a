//! Texts in a folder for each class: `DIR/CLASS/*`, or `DIR/train/CLASS/*` and `DIR/test/CLASS/*`.

use super::LabelledTexts;
use super::source::utf8;
use crate::formats::MOST_CLASSES;
use crate::formats::classes::{Layout, class_folders, files_in};
use crate::formats::text::normal;
use crate::image::hex;
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use taper_backend::files;

/// The folder of texts without a label, which the IMDB reviews have beside those of the classes.
const UNLABELLED: &str = "unsup";

/// Texts by split, each with the name of the folder that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFolders {
    /// The texts to learn from, by class, those of a class in the order of the files' names.
    pub train: LabelledTexts,
    /// Those to validate on, if they have a folder of their own.
    pub validation: Option<LabelledTexts>,
    /// Those of the test, if they have a folder of their own.
    pub test: Option<LabelledTexts>,
    /// The folder of texts without a label and their number, which were not read.
    pub unlabelled: Option<(PathBuf, usize)>,
}

impl TextFolders {
    /// Reads the texts of `dir`: `DIR/CLASS/*`, or `DIR/train/CLASS/*`, `DIR/test/CLASS/*` and perhaps `DIR/val/CLASS/*`. Every
    /// file in a class's folder is a text, whatever its name; files beside these folders are not read, as scikit-learn's
    /// `load_files` does not, nor what begins with a dot. An empty file is a text without words. A folder `unsup`, in which the
    /// IMDB reviews have their texts without a label, is no class, unless the test has a folder of this name.
    ///
    /// Memory: all texts.
    ///
    /// # Errors
    /// Less than two folders to learn from; a folder without texts, or with a folder in it; a file that cannot be read or is not
    /// UTF-8. The error names the file or the folder.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        let layout = Layout::find(dir.as_ref())?;
        let mut train = folders(&layout.train)?;
        let test = layout.test.as_deref().map(folders).transpose()?;
        let mut unlabelled = None;
        if !test.iter().flatten().any(|(name, _)| name == UNLABELLED) {
            let place = train.iter().position(|(name, _)| name == UNLABELLED);
            let left_out = place.map(|place| train.remove(place).1);
            unlabelled = left_out.map(|path| files_in(&path, "texts").map(|files| (path, files.len()))).transpose()?;
        }
        if train.len() < 2 || train.len() as i64 > MOST_CLASSES {
            let name = if let [(name, _)] = &train[..] { format!(" (`{name}`)") } else { String::new() };
            let found = train.len();
            let detail = format!("expected 2 to {MOST_CLASSES} folders of texts, one a class, found {found}{name}");
            return Err(Error::format(&layout.train, "classes", detail));
        }
        let validation = layout.validation.as_deref().map(folders).transpose()?;
        Ok(Self {
            train: read(&train)?,
            validation: validation.map(|found| read(&found)).transpose()?,
            test: test.map(|found| read(&found)).transpose()?,
            unlabelled,
        })
    }
}

fn folders(dir: &Path) -> Result<Vec<(String, PathBuf)>> {
    class_folders(dir, &mut |_| Ok(()))
}

/// The texts in `folders`, pairs of class and path.
fn read(folders: &[(String, PathBuf)]) -> Result<LabelledTexts> {
    let (mut found, mut hash) = (LabelledTexts::default(), Sha256::new());
    for (class, folder) in folders {
        let files = files_in(folder, "texts")?;
        if files.is_empty() {
            return Err(Error::format(folder, "class", "expected a text or more, found none"));
        }
        // As the names of classes are compared, whatever form a file system stores.
        let class = normal(class).into_owned();
        for (name, path) in files {
            let bytes = files::read(&path).map_err(Error::io("read", &path))?;
            for part in [class.as_bytes(), name.as_encoded_bytes(), &bytes] {
                hash.update((part.len() as u64).to_le_bytes());
                hash.update(part);
            }
            found.texts.push(utf8(bytes, &path)?);
            found.labels.push(class.clone());
        }
    }
    found.checksum = hex(&hash.finalize());
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    struct Place(tempfile::TempDir);

    impl Place {
        fn new(files: &[(&str, &[u8])]) -> Self {
            let place = Self(tempfile::tempdir().unwrap());
            files.iter().for_each(|(name, bytes)| place.write(name, bytes));
            place
        }

        fn write(&self, name: &str, bytes: &[u8]) {
            let path = self.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }

        fn open(&self) -> Result<TextFolders> {
            TextFolders::open(self.0.path())
        }

        /// The error's text, with the folder as DIR.
        fn told(&self) -> String {
            self.open().unwrap_err().to_string().replace(&*self.0.path().to_string_lossy(), "DIR")
        }
    }

    /// The layout of the IMDB reviews.
    fn reviews() -> Place {
        Place::new(&[
            ("README", b"about"),
            ("imdb.vocab", b"the"),
            ("train/labeledBow.feat", b"9 0:9"),
            ("train/urls_pos.txt", b"http"),
            ("train/pos/10_9.txt", "très bien".as_bytes()),
            ("train/pos/2_9.txt", b"fine"),
            ("train/pos/.DS_Store", b"\xff"),
            ("train/neg/0_1.txt", b""),
            ("train/unsup/0_0.txt", b"so"),
            ("train/unsup/1_0.txt", b"\xff"),
            ("test/neg/0_2.txt", b"awful"),
            ("test/pos/0_10.txt", b"great"),
        ])
    }

    #[test]
    fn texts_are_read_by_class_and_name() {
        let place = reviews();
        let found = place.open().unwrap();
        assert_eq!(found.train.texts, ["", "très bien", "fine"]);
        assert_eq!(found.train.labels, ["neg", "pos", "pos"]);
        let test = found.test.clone().unwrap();
        assert_eq!((test.texts, test.labels), (vec!["awful".into(), "great".into()], vec!["neg".into(), "pos".into()]));
        assert_eq!((&found.validation, found.unlabelled.clone().unwrap().1), (&None, 2));
        assert_eq!(place.open().unwrap(), found);
        // What was read counts, its names too, and nothing else.
        place.write("train/urls_pos.txt", b"https");
        assert_eq!(place.open().unwrap(), found);
        for (name, bytes) in [("train/neg/0_1.txt", &b"x"[..]), ("train/neg/1_1.txt", b"")] {
            let before = place.open().unwrap().train.checksum;
            place.write(name, bytes);
            assert_ne!(place.open().unwrap().train.checksum, before, "{name}");
        }
    }

    #[test]
    fn texts_without_a_label_are_a_class_only_where_the_test_says_so() {
        let place = reviews();
        place.write("train/unsup/1_0.txt", b"la");
        place.write("test/unsup/0_0.txt", b"la");
        let found = place.open().unwrap();
        assert_eq!((found.train.labels.last().map(String::as_str), found.unlabelled), (Some("unsup"), None));
        // Without splits the rule is the same.
        let found = TextFolders::open(reviews().0.path().join("train")).unwrap();
        assert_eq!((found.train.labels.len(), found.test, found.unlabelled.unwrap().1), (3, None, 2));
    }

    #[test]
    fn folders_without_splits_and_with_a_part_to_validate_on() {
        let place = Place::new(&[("b/1", b"one"), ("a/2", b"two"), ("a/10", b"ten")]);
        let found = place.open().unwrap();
        assert_eq!((found.train.texts.join(" "), found.train.labels.join(" ")), ("ten two one".into(), "a a b".into()));
        let split = Place::new(&[("train/a/1", b"x"), ("train/b/1", b"y"), ("val/b/1", b"z"), ("test/a/1", b"t")])
            .open()
            .unwrap();
        assert_eq!((split.validation.unwrap().texts, split.test.unwrap().labels), (vec!["z".into()], vec!["a".into()]));
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_name() {
        let told = |name: &str, bytes: &[u8]| {
            let place = reviews();
            place.write(name, bytes);
            place.told()
        };
        let due = "DIR/train/pos/3.txt: line 2, byte 6: expected text in UTF-8, found the byte 0xE9; convert the file, or cut it elsewhere";
        assert_eq!(told("train/pos/3.txt", b"a\ncaf\xe9"), due);
        assert_eq!(told("test/pos/more/3.txt", b"a"), "DIR/test/pos/more: folder: expected texts here, found a folder");
        assert_eq!(told("train/none/.x", b""), "DIR/train/none: class: expected a text or more, found none");
        let one = Place::new(&[("ham/1.txt", b"a"), ("unsup/1.txt", b"a")]).told();
        assert_eq!(one, "DIR: classes: expected 2 to 65536 folders of texts, one a class, found 1 (`ham`)");
        let none = Place::new(&[("1.txt", b"a")]).told();
        assert_eq!(none, "DIR: classes: expected 2 to 65536 folders of texts, one a class, found 0");
        let test = Place::new(&[("test/a/1.txt", b"a"), ("test/b/1.txt", b"a")]).told();
        let due = "DIR/test: splits: expected folders of classes in a folder `train` beside this one, found none";
        assert_eq!(test, due);
    }
}
