//! A sound in memory: one channel of samples, read from a file of whatever format.

use crate::{Error, Result, wav};
use std::panic::catch_unwind;
use std::path::Path;
use taper_backend::files;

/// A sound of one channel. Samples are fractions of full scale, from −1 to 1; those of files in floating point may lie
/// outside.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Clip {
    /// The samples, in time.
    pub samples: Vec<f32>,
    /// Samples a second.
    pub rate: u32,
}

impl Clip {
    /// Reads the file `path`: WAV (8, 16, 24, 32 bits and 32-bit floats), and with the features `flac` and `ogg` FLAC, and Vorbis
    /// and FLAC in Ogg. The format is told by the content. Several channels become one, their mean.
    ///
    /// The file is held in memory with its samples.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, cut off or empty, or of a format that is not read; the error names it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::decode(&files::read(path).map_err(Error::io("read", path))?, path)
    }

    /// As [`open`](Self::open), of `bytes`, the content of a file called `name`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn decode(bytes: &[u8], name: impl AsRef<Path>) -> Result<Self> {
        let path = name.as_ref();
        // A decoder's panic is an error of this file.
        let clip = catch_unwind(|| decoded(bytes, path))
            .unwrap_or_else(|_| Err(Error::format(path, "damaged: the decoder failed on it")))?;
        if clip.samples.is_empty() {
            return Err(Error::format(path, "a sound without a sample"));
        }
        match clip.samples.iter().position(|sample| !sample.is_finite()) {
            Some(at) => Err(Error::format(path, format!("sample {at} is {}, expected a number", clip.samples[at]))),
            None => Ok(clip),
        }
    }

    /// Writes a WAV file of 16 bits; samples beyond full scale are clipped.
    ///
    /// # Errors
    /// A file that cannot be written, a rate of 0.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        wav::save(self, path.as_ref())
    }

    /// How long it is.
    pub fn seconds(&self) -> f64 {
        self.samples.len() as f64 / f64::from(self.rate.max(1))
    }
}

/// What the content of a file called `path` is.
fn decoded(bytes: &[u8], path: &Path) -> Result<Clip> {
    match bytes {
        [] => Err(Error::format(path, "an empty file, expected sound: WAV, FLAC or Ogg")),
        _ if bytes.starts_with(b"RIFF") => wav::decode(bytes, path),
        _ if bytes.starts_with(b"fLaC") => compressed(bytes, path, "flac"),
        _ if bytes.starts_with(b"OggS") => compressed(bytes, path, "ogg"),
        _ => {
            let detail = "expected a sound file, which begins with RIFF (WAV), fLaC or OggS, found neither";
            Err(Error::format(path, detail))
        }
    }
}

/// The mean of the channels of each frame, of interleaved samples.
pub(crate) fn mixed(samples: &[f32], channels: usize) -> Vec<f32> {
    match channels {
        1 => samples.to_vec(),
        _ => {
            let mean = |frame: &[f32]| frame.iter().map(|x| f64::from(*x)).sum::<f64>() / channels as f64;
            samples.chunks_exact(channels.max(1)).map(|frame| mean(frame) as f32).collect()
        }
    }
}

#[cfg(any(feature = "flac", feature = "ogg"))]
fn compressed(bytes: &[u8], path: &Path, format: &str) -> Result<Clip> {
    match format {
        "ogg" if !cfg!(feature = "ogg") => Err(lacks(path, format)),
        "flac" if !cfg!(feature = "flac") => Err(lacks(path, format)),
        _ => crate::compressed::decode(bytes, path),
    }
}

#[cfg(not(any(feature = "flac", feature = "ogg")))]
fn compressed(_bytes: &[u8], path: &Path, format: &str) -> Result<Clip> {
    Err(lacks(path, format))
}

fn lacks(path: &Path, format: &str) -> Error {
    let detail = format!("this build does not read it: it lacks the feature `{format}` of taper-audio");
    Error::format(path, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> String {
        Clip::decode(bytes, "a.wav").unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_sound_is_named() {
        assert_eq!(told(b""), "a.wav: an empty file, expected sound: WAV, FLAC or Ogg");
        let neither = "expected a sound file, which begins with RIFF (WAV), fLaC or OggS, found neither";
        assert_eq!(told(b"ID3\x04"), format!("a.wav: {neither}"));
        #[cfg(not(feature = "flac"))]
        assert!(told(b"fLaC").ends_with("it lacks the feature `flac` of taper-audio"));
        let missing = Clip::open("nowhere\u{1b}.wav").unwrap_err().to_string();
        assert!(missing.starts_with("cannot read nowhere\\u{1b}.wav: "), "{missing}");
        let folder = Clip::open(std::env::temp_dir()).unwrap_err().to_string();
        assert!(folder.ends_with("expected a plain file, found a folder"), "{folder}");
    }

    #[test]
    fn channels_are_mixed_by_their_mean() {
        assert_eq!(mixed(&[1.0, 0.0, 0.5, -0.5], 2), [0.5, 0.0]);
        assert_eq!(mixed(&[1.0, 0.0, 0.5], 3), [0.5]);
    }
}
