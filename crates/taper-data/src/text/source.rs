//! A text that is read from a file, or from a folder with a part to be measured on; and one that comes with the crate.

use crate::image::hex;
use crate::{Error, Result};
use sha2::{Digest, Sha256};
use std::path::Path;
use taper_backend::files;

/// The file of the training text in a folder.
const TRAIN: &str = "train.txt";
/// The names of the other file, of which the first that is there is read.
const HELD_OUT: [&str; 3] = ["test.txt", "val.txt", "valid.txt"];

/// A text to learn from and, where it came with one, a text to be measured on. Characters are left as they are: line ends,
/// byte order marks, composed and other characters.
///
/// ```
/// # fn main() -> taper_data::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("all.txt");
/// std::fs::write(&path, "to be or not to be").unwrap();
/// let source = taper_data::TextSource::open(&path)?.held_out_by_place(0.3)?;
/// assert_eq!((&*source.train, source.held_out.as_deref()), ("to be or not ", Some("to be")));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextSource {
    /// The text to learn from.
    pub train: String,
    /// The text to be measured on, if there is one.
    pub held_out: Option<String>,
    /// The SHA-256 of the file, or of both, in hexadecimal.
    pub checksum: String,
}

impl TextSource {
    /// Reads the text file `path`, or of a folder its `train.txt` and the first of `test.txt`, `val.txt` and `valid.txt`.
    ///
    /// Memory: the text, twice while it is checked.
    ///
    /// # Errors
    /// A file that cannot be read, is empty or is not UTF-8 (the error says where); a folder without these files.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut hash = Sha256::new();
        if !path.is_dir() {
            let train = read(path, &mut hash)?;
            return Ok(Self { train, held_out: None, checksum: hex(&hash.finalize()) });
        }
        let files = (path.join(TRAIN), HELD_OUT.iter().map(|name| path.join(name)).find(|path| path.is_file()));
        let (train, Some(held_out)) = files else { return Err(no_files(path)) };
        if !train.is_file() {
            return Err(no_files(path));
        }
        let (train, held_out) = (read(&train, &mut hash)?, read(&held_out, &mut hash)?);
        Ok(Self { train, held_out: Some(held_out), checksum: hex(&hash.finalize()) })
    }

    /// Chapters 1 to 15 of Jane Austen's *Pride and Prejudice* (1813), in the public domain: 125,385 characters, part of
    /// this crate.
    pub fn pride_and_prejudice() -> Self {
        const TEXT: &str = include_str!("../../datasets/pride-and-prejudice.txt");
        Self { train: TEXT.into(), held_out: None, checksum: hex(&Sha256::digest(TEXT)) }
    }

    /// With the last `fraction` of the training text held out, if no text is yet. The parts share no character.
    ///
    /// # Errors
    /// When one of the two parts would be empty.
    pub fn held_out_by_place(mut self, fraction: f64) -> Result<Self> {
        if self.held_out.is_none() {
            let last = self.split_off(fraction)?;
            self.held_out = Some(last);
        }
        Ok(self)
    }

    /// Takes the last `fraction` of the training text's characters away, and gives them.
    ///
    /// # Errors
    /// When one of the two parts would be empty.
    pub fn split_off(&mut self, fraction: f64) -> Result<String> {
        let characters = self.train.chars().count();
        let last = (characters as f64 * fraction.clamp(0.0, 1.0)).round() as usize;
        if last == 0 || last == characters {
            let detail = format!("{fraction} of {characters} characters leaves {last} held out");
            return Err(Error::Argument(format!("text: {detail} and {} to learn from", characters - last)));
        }
        let place = self.train.char_indices().nth(characters - last).map_or(self.train.len(), |(place, _)| place);
        Ok(self.train.split_off(place))
    }
}

fn no_files(folder: &Path) -> Error {
    Error::Argument(format!(
        "{}: expected a text file, or a folder with {TRAIN} and one of {}",
        folder.display(),
        HELD_OUT.join(", ")
    ))
}

/// The text of the file, whose bytes go to `hash` too.
pub(super) fn read(path: &Path, hash: &mut Sha256) -> Result<String> {
    let bytes = files::read(path).map_err(Error::io("read", path))?;
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(&bytes);
    text(bytes, path)
}

/// The text that `bytes`, those of the file, are in UTF-8.
pub(super) fn text(bytes: Vec<u8>, path: &Path) -> Result<String> {
    if bytes.is_empty() {
        return Err(Error::format(path, "file", "it is empty; expected a text"));
    }
    utf8(bytes, path)
}

/// As [`text`], where nothing is a text too.
pub(super) fn utf8(bytes: Vec<u8>, path: &Path) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let (place, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
        let line = bytes.iter().take(place).filter(|byte| **byte == b'\n').count() + 1;
        let byte = bytes.get(place).copied().unwrap_or_default();
        let detail =
            format!("expected text in UTF-8, found the byte 0x{byte:02X}; convert the file, or cut it elsewhere");
        Error::format(path, format!("line {line}, byte {}", place + 1), detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_folder_has_a_part_to_be_measured_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let text = || TextSource::open(path).unwrap_err().to_string();
        let due = "expected a text file, or a folder with train.txt and one of test.txt, val.txt, valid.txt";
        assert!(text().ends_with(due), "{}", text());
        fs::write(path.join("train.txt"), "a\r\nb").unwrap();
        assert!(text().ends_with(due), "{}", text());
        fs::write(path.join("val.txt"), "\u{feff}c").unwrap();
        let found = TextSource::open(path).unwrap();
        assert_eq!((&*found.train, found.held_out.as_deref()), ("a\r\nb", Some("\u{feff}c")));
        // What is held out already stays so.
        assert_eq!(found.clone().held_out_by_place(0.5).unwrap(), found);
        fs::write(path.join("val.txt"), "d").unwrap();
        assert_ne!(TextSource::open(path).unwrap().checksum, found.checksum);
    }

    #[test]
    fn what_is_no_text_is_told_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let says = |bytes: &[u8], due: &str| {
            fs::write(&path, bytes).unwrap();
            let text = TextSource::open(&path).unwrap_err().to_string();
            assert!(text.ends_with(due), "{text}");
        };
        says(b"", "a.txt: file: it is empty; expected a text");
        let advice = "convert the file, or cut it elsewhere";
        says(b"ab\ncaf\xe9\n", &format!("line 2, byte 7: expected text in UTF-8, found the byte 0xE9; {advice}"));
        // A character that was cut.
        says(b"caf\xc3", &format!("line 1, byte 4: expected text in UTF-8, found the byte 0xC3; {advice}"));
        let text = TextSource::open(folder.path().join("none.txt")).unwrap_err().to_string();
        assert!(text.starts_with("cannot read ") && text.contains("none.txt"), "{text}");
    }

    #[test]
    fn the_last_part_is_held_out_and_no_character_is_cut() {
        let source = TextSource { train: "aé日🙂b".into(), held_out: None, checksum: String::new() };
        let found = source.clone().held_out_by_place(0.4).unwrap();
        assert_eq!((&*found.train, found.held_out.as_deref()), ("aé日", Some("🙂b")));
        let text = source.held_out_by_place(0.01).unwrap_err().to_string();
        assert_eq!(text, "text: 0.01 of 5 characters leaves 0 held out and 5 to learn from");
    }

    #[test]
    fn the_novel_is_the_one_that_its_note_describes() {
        let novel = TextSource::pride_and_prejudice();
        assert_eq!(novel.checksum, "f9720cbcc8a3ff93cbc2c3c5922e5bdb06292dc2bbc1bb12a11cb90e2990c4c6");
        assert_eq!(novel.train.len(), 125_385);
        assert!(novel.train.starts_with("Chapter 1\n") && novel.train.is_ascii());
    }
}
