//! Sounds by kind in a folder: `KIND/FILE.wav`, or `train/KIND/FILE.wav` and `test/KIND/FILE.wav`.

use crate::speech::{KINDS, Recording, Recordings, Sources, of_audio, wrong};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use taper_audio::Clip;
use taper_train::{Error, Result};

/// A file of a kind.
struct Found {
    path: PathBuf,
    kind: String,
}

/// The sounds of `dir`, converted to `rate` samples a second; the kinds are its classes, the files' names its voices. Without a folder `test` a
/// fraction of the files is held out, drawn by `seed`.
///
/// # Errors
/// A folder without kinds, a kind that only the test has, a file that is no sound.
pub(crate) fn open(dir: &Path, rate: u32, test: f64, seed: u64) -> Result<Sources> {
    let (train, held) = match dir.join("train").is_dir() && dir.join("test").is_dir() {
        true => (listed(&dir.join("train"))?, Some(listed(&dir.join("test"))?)),
        false => (listed(dir)?, None),
    };
    let kinds: BTreeSet<&str> = train.iter().map(|found| found.kind.as_str()).collect();
    let kinds: Vec<String> = kinds.into_iter().map(str::to_owned).collect();
    if kinds.len() < 2 {
        let detail = format!("expected folders of two kinds of sounds or more, KIND/FILE.wav, found {}", told(&kinds));
        return Err(wrong(dir, detail));
    }
    let read = |all: Vec<Found>| -> Result<Recordings> {
        let recording = |Found { path, kind }: Found| {
            let class = kinds.iter().position(|known| *known == kind).ok_or_else(|| {
                wrong(&path, format!("the kind `{kind}` is in no training folder; known: {}", kinds.join(", ")))
            })?;
            let clip = Clip::open(&path).and_then(|clip| clip.at_rate(rate)).map_err(of_audio)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Ok(Recording { samples: clip.samples, class, voice: format!("{kind}/{name}") })
        };
        Ok(Recordings { all: all.into_iter().map(recording).collect::<Result<_>>()? })
    };
    let (train, held) = match held {
        Some(held) => (read(train)?, read(held)?),
        None => read(train)?.split_off(test, seed, "data.test")?,
    };
    Ok(Sources::of(train, held, kinds))
}

fn told(kinds: &[String]) -> String {
    if kinds.is_empty() { "none with a sound file".into() } else { kinds.join(", ") }
}

/// The sound files in the folders of `dir`, in the order of their names.
fn listed(dir: &Path) -> Result<Vec<Found>> {
    let mut all = Vec::new();
    for folder in entries(dir)?.into_iter().filter(|path| path.is_dir()) {
        let kind = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for path in entries(&folder)? {
            let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
            if extension.is_some_and(|extension| KINDS.contains(&extension.as_str())) {
                all.push(Found { path, kind: kind.clone() });
            }
        }
    }
    Ok(all)
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>> {
    let io = |source| Error::Io { action: "read", path: dir.to_path_buf(), source };
    let entries = std::fs::read_dir(dir).map_err(io)?.map(|entry| entry.map(|entry| entry.path()));
    let mut entries = entries.collect::<std::io::Result<Vec<_>>>().map_err(io)?;
    entries.sort();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            Clip { samples: vec![0.1, -0.1, 0.2, 0.0], rate: 16_000 }.save(path).unwrap();
        }
        folder
    }

    fn told(folder: &tempfile::TempDir) -> String {
        let error = open(folder.path(), 8000, 0.5, 0).err().unwrap().to_string();
        error.replace(&folder.path().display().to_string(), "DIR")
    }

    #[test]
    fn kinds_are_folders() {
        let sources = open(folder(&["dog/a.wav", "cat/b.wav", "cat/c.WAV", "dog/d.wav"]).path(), 8000, 0.5, 0).unwrap();
        assert_eq!(sources.classes, ["cat", "dog"]);
        assert_eq!((sources.train.all.len(), sources.test.all.len()), (2, 2));
        let two = folder(&["train/dog/a.wav", "train/cat/b.wav", "test/dog/c.wav"]);
        let sources = open(two.path(), 8000, 0.5, 0).unwrap();
        assert_eq!(
            (sources.train.voices(), sources.test.voices()),
            (vec!["cat/b.wav".to_owned(), "dog/a.wav".to_owned()], vec!["dog/c.wav".to_owned()],)
        );
        assert_eq!(sources.test.all[0].class, 1);
    }

    #[test]
    fn what_is_wrong_with_a_folder_is_told() {
        assert_eq!(
            told(&folder(&["a.wav"])),
            "DIR: expected folders of two kinds of sounds or more, KIND/FILE.wav, found none with a sound file"
        );
        assert!(told(&folder(&["dog/a.wav"])).ends_with("KIND/FILE.wav, found dog"));
        let other = folder(&["train/dog/a.wav", "train/cat/b.wav", "test/cow/c.wav"]);
        assert_eq!(told(&other), "DIR/test/cow/c.wav: the kind `cow` is in no training folder; known: cat, dog");
        let broken = folder(&["dog/a.wav", "cat/b.wav"]);
        std::fs::write(broken.path().join("cat/b.wav"), "").unwrap();
        assert!(told(&broken).starts_with("DIR/cat/b.wav: an empty file"), "{}", told(&broken));
    }
}
