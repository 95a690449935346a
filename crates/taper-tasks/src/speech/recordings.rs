//! Recordings of words: files named WORD_VOICE_TAKE.wav, as those of the Free Spoken Digit Dataset (Z. Jackson and others, 2018)
//! are, or sounds that are generated. What is tested was spoken by voices that no training recording has.

use super::features::of_audio;
use super::generated;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use taper_audio::Clip;
use taper_nn::RandomKey;
use taper_train::{Error, Result};

/// Files that are taken for recordings.
pub(crate) const KINDS: [&str; 5] = ["wav", "flac", "ogg", "oga", "wave"];
/// The names of classes that are digits.
pub(crate) const DIGITS: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// A recording of a word.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recording {
    pub(crate) samples: Vec<f32>,
    /// The word's number among the classes.
    pub(crate) class: usize,
    /// Who speaks.
    pub(crate) voice: String,
}

/// Recordings, with the words that are in them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Recordings {
    pub(crate) all: Vec<Recording>,
}

/// Recordings by split, of the same words.
pub(crate) struct Sources {
    pub(crate) train: Recordings,
    pub(crate) test: Recordings,
    /// The words, by class.
    pub(crate) classes: Vec<String>,
    /// The SHA-256 of all samples with their words and voices.
    pub(crate) checksum: String,
}

/// A file, and what its name says.
struct Named {
    path: PathBuf,
    word: String,
    voice: String,
}

impl Recordings {
    /// The voices, in the order of their names.
    pub(crate) fn voices(&self) -> Vec<String> {
        let voices: BTreeSet<&str> = self.all.iter().map(|recording| recording.voice.as_str()).collect();
        voices.into_iter().map(str::to_owned).collect()
    }

    /// The others, and those of about `fraction` of the voices, one at least unless it is 0, drawn by `seed`.
    ///
    /// # Errors
    /// Too few voices to leave some on both sides.
    pub(crate) fn split_off(self, fraction: f64, seed: u64, key: &str) -> Result<(Self, Self)> {
        let voices = self.voices();
        let share = (voices.len() as f64 * fraction).round() as usize;
        let count = if fraction > 0.0 { share.max(1) } else { 0 };
        if count == 0 || count >= voices.len() {
            let (n, rest) = (voices.len(), voices.len().saturating_sub(count));
            let detail = format!("{fraction} of {n} voices leaves {count} held out and {rest} to learn from");
            return Err(Error::Usage(format!("{key}: {detail}")));
        }
        let order = RandomKey::new(seed).child("voices").permutation(voices.len());
        let held: BTreeSet<&str> =
            order.iter().take(count).filter_map(|&i| voices.get(i)).map(String::as_str).collect();
        let (held, rest) = self.all.into_iter().partition(|recording| held.contains(recording.voice.as_str()));
        Ok((Self { all: rest }, Self { all: held }))
    }
}

impl Sources {
    /// Those of the folder `dir`: the files that its train.txt and test.txt name, a line each; without these all its files, of
    /// which a fraction `test` of the voices is held out. They are converted to `rate` samples a second.
    ///
    /// # Errors
    /// A folder without recordings, a name or a file that is not as expected, a word or a voice on the wrong side.
    pub(crate) fn open(dir: &Path, rate: u32, test: f64, seed: u64) -> Result<Self> {
        let (train, held) = match dir.join("train.txt").is_file() {
            true => (listed(dir, "train.txt")?, Some(listed(dir, "test.txt")?)),
            false => (found(dir)?, None),
        };
        let words: BTreeSet<&str> = train.iter().map(|named| named.word.as_str()).collect();
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        if words.len() < 2 {
            let detail = format!("expected recordings of two words or more, found {}", words.join(", "));
            return Err(wrong(dir, detail));
        }
        let read = |named: Vec<Named>| -> Result<Recordings> {
            let recording = |Named { path, word, voice }: Named| {
                let class = words.iter().position(|known| *known == word).ok_or_else(|| {
                    let known = words.join(", ");
                    let detail = format!("the word `{word}` is in no training recording; known: {known}");
                    wrong(&path, detail)
                })?;
                let clip = Clip::open(&path).and_then(|clip| clip.at_rate(rate)).map_err(of_audio)?;
                Ok(Recording { samples: clip.samples, class, voice })
            };
            Ok(Recordings { all: named.into_iter().map(recording).collect::<Result<_>>()? })
        };
        let (train, held) = match held {
            Some(held) => (read(train)?, read(held)?),
            None => read(train)?.split_off(test, seed, "data.test")?,
        };
        if let Some(both) = held.voices().into_iter().find(|voice| train.all.iter().any(|of| of.voice == *voice)) {
            let detail = format!("the voice `{both}` is in the training recordings and in those of the test");
            return Err(wrong(dir, format!("{detail}: what is tested must be a voice never heard")));
        }
        Ok(Self::of(train, held, words))
    }

    /// Generated sounds, which stand in for recordings.
    pub(crate) fn generated(rate: u32) -> Self {
        let [train, test] = generated::voices(rate).map(|all| Recordings { all });
        Self::of(train, test, (0..generated::WORDS).map(|word| word.to_string()).collect())
    }

    /// Of these, whose words or kinds are `words`, by class.
    pub(crate) fn of(train: Recordings, test: Recordings, words: Vec<String>) -> Self {
        let mut hash = Sha256::new();
        for recording in train.all.iter().chain(&test.all) {
            hash.update((recording.class as u64).to_le_bytes());
            hash.update(recording.voice.as_bytes());
            hash.update((recording.samples.len() as u64).to_le_bytes());
            recording.samples.iter().for_each(|sample| hash.update(sample.to_le_bytes()));
        }
        let checksum = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let digit = |word: &String| word.parse::<usize>().ok().filter(|_| word.len() == 1);
        let classes = match words.iter().map(digit).collect::<Option<Vec<usize>>>() {
            Some(digits) => digits.into_iter().filter_map(|digit| DIGITS.get(digit)).map(|&name| name.into()).collect(),
            None => words,
        };
        Self { train, test, classes, checksum }
    }
}

/// The files that `list` names, a line each.
fn listed(dir: &Path, list: &str) -> Result<Vec<Named>> {
    let path = dir.join(list);
    let text = taper_nn::taper_tensor::files::read_to_string(&path).map_err(|source| Error::Io {
        action: "read",
        path: path.clone(),
        source,
    })?;
    let names = text.lines().map(str::trim).enumerate().filter(|(_, name)| !name.is_empty());
    let of = |(line, name): (usize, &str)| {
        let file = dir.join(name);
        if !file.is_file() {
            let detail = format!("line {}: no file {name} in this folder", line + 1);
            return Err(wrong(&path, detail));
        }
        named(file)
    };
    let all: Vec<Named> = names.map(of).collect::<Result<_>>()?;
    if all.is_empty() {
        return Err(wrong(&path, "it names no recording"));
    }
    Ok(all)
}

/// All recordings in the folder.
fn found(dir: &Path) -> Result<Vec<Named>> {
    let io = |source| Error::Io { action: "read", path: dir.to_path_buf(), source };
    let mut all = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let kind = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
        if kind.is_some_and(|kind| KINDS.contains(&kind.as_str())) {
            all.push(path);
        }
    }
    if all.is_empty() {
        let detail = "expected recordings named WORD_VOICE_TAKE.wav, such as 7_anna_0.wav, found no sound file";
        return Err(wrong(dir, detail));
    }
    all.sort();
    all.into_iter().map(named).collect()
}

/// The error that `path` is not as expected.
pub(crate) fn wrong(path: &Path, detail: impl std::fmt::Display) -> Error {
    Error::Data(taper_data::Error::Argument(format!("{}: {detail}", path.display())))
}

/// What a file's name says.
fn named(path: PathBuf) -> Result<Named> {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let parts: Vec<&str> = stem.split('_').collect();
    match parts.as_slice() {
        [word, voice @ .., _take] if !voice.is_empty() && !word.is_empty() => {
            Ok(Named { word: (*word).into(), voice: voice.join("_"), path })
        }
        _ => {
            let detail = "expected a name such as 7_anna_0.wav: the word, the voice, the take";
            Err(wrong(&path, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (i, name) in names.iter().enumerate() {
            let samples = (0..400).map(|at| ((at * (i + 1)) as f32 * 0.01).sin()).collect();
            Clip { samples, rate: 16_000 }.save(folder.path().join(name)).unwrap();
        }
        folder
    }

    fn told(folder: &tempfile::TempDir) -> String {
        let error = Sources::open(folder.path(), 8000, 0.5, 0).err().unwrap().to_string();
        error.replace(&folder.path().display().to_string(), "DIR")
    }

    #[test]
    fn no_voice_is_on_both_sides() {
        let names = ["0_a_0.wav", "1_a_0.wav", "0_b_x_0.wav", "1_b_x_0.wav", "0_c_0.wav", "0_d_0.wav"];
        let all = Sources::open(folder(&names).path(), 8000, 0.5, 1).unwrap();
        assert_eq!(all.classes, ["zero", "one"]);
        let (train, test) = (all.train.voices(), all.test.voices());
        assert_eq!(train.len() + test.len(), 4);
        assert!(train.iter().all(|voice| !test.contains(voice)));
        assert_eq!(all.train.all.len() + all.test.all.len(), 6);
        // Converted from 16,000 samples a second.
        assert!(all.train.all.iter().all(|recording| recording.samples.len() == 200));
    }

    /// As the Free Spoken Digit Dataset, which has few voices.
    #[test]
    fn of_few_voices_one_is_held_out() {
        let all = Sources::open(folder(&["0_a_0.wav", "1_b_0.wav", "0_c_0.wav"]).path(), 8000, 0.01, 1).unwrap();
        assert_eq!((all.train.voices().len(), all.test.voices().len()), (2, 1));
    }

    #[test]
    fn what_is_wrong_with_a_folder_is_told() {
        assert!(told(&folder(&[])).ends_with("such as 7_anna_0.wav, found no sound file"));
        let text = told(&folder(&["0_a_0.wav", "one.wav"]));
        assert_eq!(text, "DIR/one.wav: expected a name such as 7_anna_0.wav: the word, the voice, the take");
        assert_eq!(told(&folder(&["0_a_0.wav"])), "DIR: expected recordings of two words or more, found 0");
        let none = Sources::open(folder(&["0_a_0.wav", "1_b_0.wav"]).path(), 8000, 0.0, 0).err().unwrap().to_string();
        assert_eq!(none, "data.test: 0 of 2 voices leaves 0 held out and 2 to learn from");
        let lone = told(&folder(&["0_a_0.wav", "1_a_0.wav"]));
        assert_eq!(lone, "data.test: 0.5 of 1 voices leaves 1 held out and 0 to learn from");

        let both = folder(&["0_a_0.wav", "1_a_0.wav", "0_a_1.wav", "2_b_0.wav"]);
        let list = |name: &str, text: &str| std::fs::write(both.path().join(name), text).unwrap();
        list("train.txt", "0_a_0.wav\n1_a_0.wav\n");
        assert!(told(&both).contains("test.txt"));
        list("test.txt", "\n\n");
        assert_eq!(told(&both), "DIR/test.txt: it names no recording");
        list("test.txt", "0_a_1.wav\r\n3_b_0.wav\r\n");
        assert_eq!(told(&both), "DIR/test.txt: line 2: no file 3_b_0.wav in this folder");
        list("test.txt", "2_b_0.wav\n");
        assert_eq!(told(&both), "DIR/2_b_0.wav: the word `2` is in no training recording; known: 0, 1");
        list("test.txt", "0_a_1.wav\n");
        assert!(told(&both).starts_with("DIR: the voice `a` is in the training recordings and in those of the test"));
        std::fs::write(both.path().join("0_a_0.wav"), b"RIFF").unwrap();
        assert!(told(&both).starts_with("DIR/0_a_0.wav: damaged WAV"), "{}", told(&both));
    }
}
