//! `metrics.jsonl`: a line every so many steps, a line an epoch.

use crate::{EpochReport, Error, Result};
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Writes metrics, each line at once, so that the file can be followed and a kill loses nothing.
#[derive(Debug)]
pub struct Metrics {
    path: PathBuf,
    file: File,
}

#[derive(Serialize)]
struct StepLine {
    step: u64,
    loss: f64,
}

#[derive(Serialize)]
struct EpochLine {
    epoch: u64,
    train_loss: f64,
    test_loss: f64,
    test_accuracy: f64,
    images_per_s: f64,
    seconds: f64,
}

impl Metrics {
    /// Opens `path`, emptied if it exists.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let file = File::create(&path).map_err(Error::io("write", &path))?;
        Ok(Self { path, file })
    }

    /// `{"step":1,"loss":2.299999952316284}`: the loss in as many digits as tell it from its neighbours.
    pub fn step(&mut self, step: u64, loss: f64) -> Result<()> {
        self.line(&StepLine { step, loss })
    }

    /// `{"epoch":1,"train_loss":…,"test_loss":…,"test_accuracy":…,"images_per_s":…,"seconds":…}`.
    pub fn epoch(&mut self, report: &EpochReport) -> Result<()> {
        let EpochReport { epoch, train_loss, test, images_per_s, seconds, .. } = *report;
        let (test_loss, test_accuracy) = (test.loss, test.accuracy());
        self.line(&EpochLine { epoch, train_loss, test_loss, test_accuracy, images_per_s, seconds })
    }

    fn line(&mut self, line: &impl Serialize) -> Result<()> {
        let written = serde_json::to_vec(line).map_err(std::io::Error::from).and_then(|mut bytes| {
            bytes.push(b'\n');
            self.file.write_all(&bytes)
        });
        written.map_err(Error::io("write", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Evaluation;

    #[test]
    fn lines_are_as_documented() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut metrics = Metrics::create(&path).unwrap();
        metrics.step(1, f64::from(2.3_f32)).unwrap();
        let test = Evaluation { loss: 1.25, correct: 311, samples: 500 };
        let report =
            EpochReport { epoch: 1, epochs: 2, steps: 7, train_loss: 1.5, test, images_per_s: 812.5, seconds: 3.25 };
        metrics.epoch(&report).unwrap();
        assert_eq!(
            std::fs::read_to_string(path).unwrap(),
            "{\"step\":1,\"loss\":2.299999952316284}\n\
             {\"epoch\":1,\"train_loss\":1.5,\"test_loss\":1.25,\"test_accuracy\":0.622,\
             \"images_per_s\":812.5,\"seconds\":3.25}\n"
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_told_with_what_to_do() {
        let mut metrics = Metrics::create("/dev/full").unwrap();
        let text = metrics.step(1, 0.5).unwrap_err().to_string();
        assert!(text.starts_with("cannot write /dev/full: No space left on device"), "{text}");
        assert!(text.ends_with("; free some space or choose another folder"), "{text}");
    }
}
