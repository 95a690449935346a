//! `metrics.jsonl`: the metrics of a run as JSON lines, for every so many steps, each epoch, and the end.

use crate::{EpochReport, Error, Evaluation, Result};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use taper_nn::taper_tensor::files;

/// Writes metrics. Each line is written at once, so that the file can be followed and nothing is lost when the run is
/// killed.
#[derive(Debug)]
pub struct Metrics {
    path: PathBuf,
    file: File,
    length: u64,
}

#[derive(Serialize)]
struct StepLine {
    step: u64,
    loss: f64,
    lr: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    gradient_norm: Option<f64>,
}

#[derive(Serialize)]
struct EpochLine<'a> {
    epoch: u64,
    #[serde(flatten)]
    values: BTreeMap<String, f64>,
    lr: f64,
    samples_per_s: f64,
    loader_idle: f64,
    seconds: f64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    gradient_norms: BTreeMap<&'a str, f64>,
}

#[derive(Serialize)]
struct StoppedLine {
    stopped: bool,
}

#[derive(Serialize)]
struct MeasuredLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<u64>,
    #[serde(flatten)]
    values: BTreeMap<String, f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
}

/// The values of an evaluation by `SPLIT_NAME`.
fn of_split<'a>(split: &'a str, found: &'a Evaluation) -> impl Iterator<Item = (String, f64)> + 'a {
    found.values().map(move |(name, value)| (format!("{split}_{name}"), value))
}

impl Metrics {
    /// Opens the file `path` to append after its first `length` bytes. What follows these is cut off: a run that was
    /// killed wrote it after its last checkpoint. With a length of 0 the file need not exist.
    ///
    /// # Errors
    /// A file that is shorter than `length`, or cannot be written.
    pub fn open(path: impl AsRef<Path>, length: u64) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        refuse_pipe(&path)?;
        let found = path.metadata().map_or(0, |found| found.len());
        if found < length {
            let detail = format!(
                "expected {length} bytes or more, found {found}; resume with the file that belongs to the checkpoint, or \
                 start a new run"
            );
            return Err(Error::RunFolder { path, detail });
        }
        let opened =
            File::options().write(true).create(length == 0).truncate(false).open(&path).and_then(|mut file| {
                // A length of 0 empties an existing file. A device such as /dev/full has no length to set.
                let found = file.metadata()?;
                if found.is_file() {
                    file.set_len(length)?;
                    file.seek(SeekFrom::Start(length))?;
                }
                Ok(file)
            });
        Ok(Self { file: opened.map_err(Error::io("write", &path))?, path, length })
    }

    /// The length of the file in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Waits until everything is on the disk.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(Error::io("write", &self.path))
    }

    /// Writes the line of a step, such as `{"step":1,"loss":2.299999952316284,"lr":0.001,"gradient_norm":1.5}`. Numbers
    /// have as many digits as identify an f64. The norm is that of all gradients together, if gradients are monitored.
    pub fn step(&mut self, step: u64, loss: f64, lr: f64, gradient_norm: Option<f64>) -> Result<()> {
        self.line(&StepLine { step, loss, lr, gradient_norm })
    }

    /// Writes the line of an epoch:
    /// `{"epoch":1,"train_loss":…,"validation_loss":…,"lr":…,"samples_per_s":…,"loader_idle":…,"seconds":…,
    /// "gradient_norms":{"fc1.weight":…}}`, with `train_NAME` and `validation_NAME` for each metric of the task.
    /// The validation fields are left out without a validation split, and the gradient norms if gradients are not
    /// monitored. The norms are those of the last step for which they were computed.
    pub fn epoch<'a>(&mut self, report: &EpochReport, norms: impl IntoIterator<Item = (&'a str, f64)>) -> Result<()> {
        self.line(&EpochLine {
            epoch: report.epoch,
            values: of_split("train", &report.train)
                .chain(report.validation.iter().flat_map(|found| of_split("validation", found)))
                .collect(),
            lr: report.lr,
            samples_per_s: report.samples_per_s,
            loader_idle: report.idle,
            seconds: report.seconds,
            gradient_norms: norms.into_iter().filter(|(_, norm)| norm.is_finite()).collect(),
        })
    }

    /// Writes `{"stopped":true}`, the last line of a run that was stopped and can be resumed.
    pub fn stopped(&mut self) -> Result<()> {
        self.line(&StoppedLine { stopped: true })
    }

    /// Writes `{"step":1,"validation_loss":…}`, with `validation_NAME` for each metric of the task: a measurement within
    /// an epoch.
    pub fn measured(&mut self, step: u64, found: &Evaluation) -> Result<()> {
        let values = of_split("validation", found).collect();
        self.line(&MeasuredLine { step: Some(step), values, seconds: None })
    }

    /// Writes `{"test_loss":…,"seconds":…}`, with `test_NAME` for each metric of the task: the last line of a finished
    /// run. The seconds are those of the evaluation.
    pub fn test(&mut self, found: &Evaluation, seconds: f64) -> Result<()> {
        let values = of_split("test", found).collect();
        self.line(&MeasuredLine { step: None, values, seconds: Some(seconds) })
    }

    fn line(&mut self, line: &impl Serialize) -> Result<()> {
        let written = serde_json::to_vec(line).map_err(std::io::Error::from).and_then(|mut bytes| {
            bytes.push(b'\n');
            self.file.write_all(&bytes)?;
            Ok(bytes.len() as u64)
        });
        self.length += written.map_err(Error::io("write", &self.path))?;
        Ok(())
    }
}

/// Errs for a pipe: opening it for writing would wait for a reader. (A device, such as /dev/full, does not wait.)
#[cfg(unix)]
fn refuse_pipe(path: &Path) -> Result<()> {
    use std::os::unix::fs::FileTypeExt;
    match path.metadata() {
        Ok(found) if found.file_type().is_fifo() => files::plain_or_missing(path).map_err(Error::io("write", path)),
        _ => Ok(()),
    }
}

#[cfg(not(unix))]
fn refuse_pipe(_: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_documented() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let mut metrics = Metrics::open(&path, 0).unwrap();
        metrics.step(1, f64::from(2.3_f32), 0.001, Some(1.5)).unwrap();
        let values = |loss, accuracy| [("loss".to_string(), loss), ("accuracy".to_string(), accuracy)];
        let found = Evaluation::new(500, values(1.25, 0.622));
        let report = EpochReport {
            epoch: 1,
            epochs: 2,
            steps: 7,
            train: Evaluation::new(448, values(1.5, 0.5)),
            validation: Some(found.clone()),
            lr: 0.001,
            samples_per_s: 812.5,
            idle: 0.25,
            seconds: 3.25,
        };
        metrics.epoch(&report, [("fc1.weight", 0.5)]).unwrap();
        let length = metrics.length();
        metrics.epoch(&EpochReport { epoch: 2, validation: None, ..report }, []).unwrap();
        metrics.test(&found, 1.75).unwrap();
        metrics.stopped().unwrap();
        let first = "{\"step\":1,\"loss\":2.299999952316284,\"lr\":0.001,\"gradient_norm\":1.5}\n\
             {\"epoch\":1,\"train_accuracy\":0.5,\"train_loss\":1.5,\"validation_accuracy\":0.622,\"validation_loss\":1.25,\
             \"lr\":0.001,\"samples_per_s\":812.5,\"loader_idle\":0.25,\"seconds\":3.25,\"gradient_norms\":{\"fc1.weight\":0.5}}\n";
        let rest = "{\"epoch\":2,\"train_accuracy\":0.5,\"train_loss\":1.5,\"lr\":0.001,\"samples_per_s\":812.5,\
             \"loader_idle\":0.25,\"seconds\":3.25}\n{\"test_accuracy\":0.622,\"test_loss\":1.25,\"seconds\":1.75}\n{\"stopped\":true}\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{first}{rest}"));
        // Opened at that length, the file is cut there.
        let mut metrics = Metrics::open(&path, length).unwrap();
        metrics.step(8, 0.5, 0.1, None).unwrap();
        let expected = format!("{first}{{\"step\":8,\"loss\":0.5,\"lr\":0.1}}\n");
        assert_eq!(
            (std::fs::read_to_string(&path).unwrap(), metrics.length()),
            (expected.clone(), expected.len() as u64)
        );
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_told_with_what_to_do() {
        let mut metrics = Metrics::open("/dev/full", 0).unwrap();
        let text = metrics.step(1, 0.5, 0.1, None).unwrap_err().to_string();
        assert!(text.starts_with("cannot write /dev/full: No space left on device"), "{text}");
        assert!(text.ends_with("; free some space or choose another folder"), "{text}");
    }
}
