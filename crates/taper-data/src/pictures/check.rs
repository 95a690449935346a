//! Passes over all pictures: a quick one that recognises and identifies the files, and one that decodes them.

use super::{PictureFolder, SkippedFile};
use crate::image::hex;
use crate::{Error, Result};
use image::{ImageFormat, guess_format};
use sha2::{Digest as _, Sha256};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use taper_backend::files;

/// The number of bytes of a file's beginning and of its end that are looked at.
const LOOK: u64 = 4096;

/// The number of pictures whose results are in memory at a time.
const BLOCK: usize = 4096;

/// The checksum of all splits: of names, lengths, beginnings and ends.
#[derive(Default)]
pub(super) struct Digest(Sha256);

impl Digest {
    fn add(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

impl PictureFolder {
    /// Looks at the beginning and the end of every file, adds them to `digest`, and returns the set of the files that are
    /// pictures: all, or with [`PictureOptions::skip_bad`](super::PictureOptions::skip_bad) those that decode, while the others
    /// are added to `skipped`.
    pub(super) fn looked_at(self, digest: &mut Digest, skipped: &mut Vec<SkippedFile>) -> Result<Self> {
        let (mut good, mut block) = (Vec::with_capacity(self.len()), 0);
        let mut class = None;
        while block < self.len() {
            let places = &self.places[block..self.len().min(block + BLOCK)];
            let looks = in_threads(
                places.len(),
                || (),
                |(), i| {
                    let path = self.listing.path(places[i]);
                    look(&path).map_err(|error| (path, error))
                },
            );
            for (&place, look) in places.iter().zip(looks) {
                let picture = &self.listing.pictures[place];
                if class != Some(picture.folder) {
                    class = Some(picture.folder);
                    digest.add(self.listing.classes[self.listing.label(place) as usize].as_bytes());
                }
                digest.add(picture.name.as_encoded_bytes());
                match look {
                    Ok(found) => {
                        digest.add(&found);
                        good.push(place);
                    }
                    Err((path, error)) if self.options.skip_bad => {
                        skipped.push(SkippedFile { path, reason: reason(&error) });
                    }
                    Err((_, error)) => return Err(error),
                }
            }
            block += places.len();
        }
        let mut left = Self { places: good, ..self.clone() };
        if self.options.skip_bad {
            let bad = left.check();
            let damaged: std::collections::HashSet<usize> = bad.iter().map(|(index, _)| *index).collect();
            let keep: Vec<usize> = (0..left.len()).filter(|index| !damaged.contains(index)).collect();
            skipped.extend(bad.into_iter().map(|(_, file)| file));
            left = left.subset(&keep)?;
        }
        left.every_class_is_left(&self)?;
        skipped.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(left)
    }

    /// Checks that no class of `before` has lost all its pictures.
    fn every_class_is_left(&self, before: &Self) -> Result<()> {
        let mut counts = vec![0_usize; before.listing.folders.len()];
        for &place in &self.places {
            counts[self.listing.pictures[place].folder as usize] += 1;
        }
        match counts.iter().position(|&count| count == 0) {
            Some(folder) => {
                let path = &self.listing.folders[folder].0;
                Err(Error::format(path, "class", "none of its files is a picture that decodes"))
            }
            None => Ok(()),
        }
    }

    /// Decodes every picture once, in as many threads as the machine has cores, and returns those that do not decode: their
    /// indices and what is wrong with each. It takes about as long as the batches of one epoch.
    pub fn check(&self) -> Vec<(usize, SkippedFile)> {
        let (mut bad, mut block) = (Vec::new(), 0);
        let planes = || vec![0; 3 * self.options.size * self.options.size];
        while block < self.len() {
            let count = BLOCK.min(self.len() - block);
            let found = in_threads(count, planes, |planes, i| self.read(block + i, planes).err());
            for (i, error) in found.into_iter().enumerate() {
                if let Some(error) = error {
                    let path = self.path(block + i).unwrap_or_default();
                    bad.push((block + i, SkippedFile { path, reason: reason(&error) }));
                }
            }
            block += count;
        }
        bad
    }
}

/// What is wrong with a file, without its path.
fn reason(error: &Error) -> String {
    match error {
        Error::Format { detail, .. } => detail.clone(),
        Error::Io { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

/// Checks that the file at `path` begins as a picture does, and returns what identifies it: its length, its first bytes and
/// its last.
fn look(path: &Path) -> Result<Vec<u8>> {
    let wrong = |found: &str| Error::format(path, "picture", format!("expected PNG, JPEG or WebP, found {found}"));
    let mut file = files::open(path).map_err(Error::io("open", path))?;
    let length = file.metadata().map_err(Error::io("read", path))?.len();
    let mut bytes = length.to_le_bytes().to_vec();
    let head = bytes.len();
    let mut read = |from: u64| {
        file.seek(SeekFrom::Start(from))?;
        (&mut file).take(LOOK).read_to_end(&mut bytes)
    };
    read(0).map_err(Error::io("read", path))?;
    if length > LOOK {
        read(LOOK.max(length - LOOK)).map_err(Error::io("read", path))?;
    }
    match guess_format(&bytes[head..]) {
        Ok(ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP) => Ok(bytes),
        Ok(other) => Err(wrong(&format!("{other:?}"))),
        Err(_) if length == 0 => Err(wrong("an empty file")),
        Err(_) => Err(wrong("something else")),
    }
}

/// `f` of 0 to `count`, each with a value of `scratch` of its thread, in as many threads as there are cores.
fn in_threads<S, T: Send>(
    count: usize,
    scratch: impl Fn() -> S + Sync,
    f: impl Fn(&mut S, usize) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut scratch, mut found) = (scratch(), Vec::new());
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= count {
                return found;
            }
            found.push((i, f(&mut scratch, i)));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(count.div_ceil(16));
    let mut all = thread::scope(|scope| {
        // A thread that does not start is no error: this one works too. `f` does not panic.
        let others: Vec<_> =
            (1..threads).filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok()).collect();
        let mut all = work();
        for other in others {
            match other.join() {
                Ok(found) => all.extend(found),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_unstable_by_key(|(i, _)| *i);
    all.into_iter().map(|(_, found)| found).collect()
}
