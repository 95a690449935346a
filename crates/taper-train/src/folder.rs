//! A run's folder: what lies where in it.

use crate::record::Record;
use crate::{Config, Error, KEYS, Key, Result, timestamp};
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use toml::Table;

/// The folder of one run: `config.toml` (resolved, with what was recorded), `metrics.jsonl`, `model.safetensors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// Makes `path` a run's folder. It may exist, empty.
    ///
    /// # Errors
    /// When it holds anything, or cannot be made.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        fs::create_dir_all(&path).map_err(Error::io("create the folder", &path))?;
        let mut entries = fs::read_dir(&path).map_err(Error::io("read the folder", &path))?;
        if entries.next().is_some() {
            let detail =
                "the run folder holds files already, which a new run would overwrite; name another or remove it";
            return Err(Error::RunFolder { path, detail: detail.into() });
        }
        Ok(Self(path))
    }

    /// The folder of a run that is to be resumed, made if it is not there.
    ///
    /// # Errors
    /// When it holds files, but no run's.
    pub fn resume(path: impl Into<PathBuf>) -> Result<Self> {
        let folder = Self(path.into());
        if folder.config().is_file() {
            return Ok(folder);
        }
        remove_half_written(&folder.0)?;
        Self::create(folder.0)
    }

    /// Makes a new folder `ROOT/NAME-YYYYMMDD-HHMMSS` (UTC).
    pub fn fresh(root: &Path, name: &str) -> Result<Self> {
        fs::create_dir_all(root).map_err(Error::io("create the folder", root))?;
        let stem = format!("{name}-{}", timestamp::compact(SystemTime::now()));
        let mut path = root.join(&stem);
        // Runs that start in the same second get a number.
        for number in 2_u64.. {
            match fs::create_dir(&path) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => path = root.join(format!("{stem}-{number}")),
                made => {
                    made.map_err(Error::io("create the folder", &path))?;
                    break;
                }
            }
        }
        Ok(Self(path))
    }

    /// The folder of an earlier run.
    ///
    /// # Errors
    /// When there is no `config.toml` or no `model.safetensors` in it.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let folder = Self(path.into());
        for file in [folder.config(), folder.model()] {
            if !file.is_file() {
                let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let detail =
                    format!("no {name} here: expected the folder of a run, such as runs/digits-20261123-153012");
                return Err(Error::RunFolder { path: folder.0, detail });
            }
        }
        Ok(folder)
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where the resolved configuration is.
    pub fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// Where the metrics are.
    pub fn metrics(&self) -> PathBuf {
        self.0.join("metrics.jsonl")
    }

    /// Where TensorBoard's event file is.
    pub fn events(&self) -> PathBuf {
        self.0.join("events")
    }

    /// Where the report is.
    pub fn report(&self) -> PathBuf {
        self.0.join("report.html")
    }

    /// Where checkpoints are.
    pub fn checkpoints(&self) -> PathBuf {
        self.0.join("checkpoints")
    }

    /// The last checkpoint: what a run is resumed from.
    pub fn last(&self) -> PathBuf {
        self.checkpoints().join("last.safetensors")
    }

    /// The weights of the best epoch, by the validation split.
    pub fn best(&self) -> PathBuf {
        self.checkpoints().join("best.safetensors")
    }

    /// The result of a run that was finished: written last.
    pub fn result(&self) -> PathBuf {
        self.0.join("result.json")
    }

    /// Where the weights are.
    pub fn model(&self) -> PathBuf {
        self.0.join("model.safetensors")
    }

    /// Writes `config.toml`: the settings, and what was recorded as soon as that is known.
    pub fn write_config(&self, config: &Config, record: Option<&Record>) -> Result<()> {
        let text = |e: toml::ser::Error| Error::Usage(format!("the configuration cannot be written as TOML: {e}"));
        let settings = toml::to_string_pretty(config).map_err(text)?;
        let record = record.map(|record| toml::to_string_pretty(&Recorded { record: record.clone() }).map_err(text));
        let record = record.transpose()?.unwrap_or_default();
        let name = &self.path().display();
        let all = format!(
            "# What this run was set to. The same again: taper train NAME --config {name}/config.toml\n{settings}\n\
             # What it ran on; no setting.\n{record}"
        );
        Ok(taper_data::atomic_write(self.config(), all.as_bytes())?)
    }

    /// Reads `config.toml`. There is no record if the run was ended before it had its data.
    pub fn read_config(&self) -> Result<(Config, Option<Record>)> {
        let path = self.config();
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let wrong = |e: toml::de::Error| Error::RunFolder {
            path: path.clone(),
            detail: format!("not the configuration of a run of this version: {e}"),
        };
        let mut settings: Table = text.parse().map_err(wrong)?;
        let record = settings.remove("record").map(|record| Table::from_iter([("record".to_string(), record)]));
        let record = record.map(|table| table.try_into().map_err(wrong)).transpose()?;
        let record = record.map(|Recorded { record }| record);
        let config: Config = settings.try_into().map_err(wrong)?;
        config.check()?;
        Ok((config, record))
    }

    /// Errs unless the folder's run was set to `config`. What changes no number may be another: where it is computed,
    /// and how batches are made ahead.
    ///
    /// # Errors
    /// The first key that differs.
    pub(crate) fn check_settings(&self, config: &Config) -> Result<()> {
        let own = self.read_config()?.0;
        let free = |name: &str| name.starts_with("device.") || ["data.workers", "data.ahead"].contains(&name);
        let other = |key: &&Key| !free(key.name) && own.get(key.name) != config.get(key.name);
        let Some(Key { name, .. }) = KEYS.iter().find(other) else { return Ok(()) };
        let [was, is] = [&own, config].map(|config| config.get(name).unwrap_or_else(|| "not set".into()));
        let detail = format!(
            "{name} is {was} in this run, and cannot become {is}: resume with the configuration that it began with, or \
             start a new run"
        );
        Err(Error::RunFolder { path: self.0.clone(), detail })
    }

    /// Whether there is something to go on from.
    pub(crate) fn has_checkpoint(&self) -> bool {
        self.last().is_file()
    }

    /// Takes the folder for this run alone, as long as the returned file is there, makes the folder of the checkpoints,
    /// and removes what a kill has left half written.
    ///
    /// # Errors
    /// When another process, or another run of this one, has taken it.
    pub(crate) fn claim(&self) -> Result<File> {
        let path = self.checkpoints();
        fs::create_dir_all(&path).map_err(Error::io("create the folder", &path))?;
        let path = self.lock();
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(Error::io("write", &path))?;
        // A file system that has no locks makes nothing worse than it was.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            let detail = "this run is being trained already: wait for that to end, or stop it first";
            return Err(Error::RunFolder { path: self.0.clone(), detail: detail.into() });
        }
        remove_half_written(&self.0)?;
        remove_half_written(&self.checkpoints())?;
        Ok(file)
    }

    fn lock(&self) -> PathBuf {
        self.checkpoints().join("lock")
    }

    /// Removes the folder unless training had begun: a run that failed before leaves nothing behind.
    pub(crate) fn remove_if_not_begun(&self) {
        if self.metrics().exists() {
            return;
        }
        // What is not there, or holds something else, stays as it is, which is what is wanted.
        let _ = fs::remove_file(self.config());
        let _ = fs::remove_file(self.lock());
        let _ = fs::remove_dir(self.checkpoints());
        let _ = fs::remove_dir(&self.0);
    }
}

/// Removes what is beside a file that a kill kept from being renamed.
fn remove_half_written(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(".tmp") {
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}

/// The table of its own that a record has in `config.toml`.
#[derive(serde::Serialize, serde::Deserialize)]
struct Recorded {
    record: Record,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_files_is_refused() {
        let root = tempfile::tempdir().unwrap();
        RunFolder::create(root.path().join("a/b")).unwrap();
        RunFolder::create(root.path().join("a/b")).unwrap(); // still empty
        let text = RunFolder::create(root.path().join("a")).unwrap_err().to_string();
        assert!(text.contains("the run folder holds files already"), "{text}");
        fs::write(root.path().join("file"), "").unwrap();
        let text = RunFolder::create(root.path().join("file/run")).unwrap_err().to_string();
        assert!(text.starts_with("cannot create the folder "), "{text}");
    }

    #[test]
    fn fresh_folders_never_meet() {
        let root = tempfile::tempdir().unwrap();
        let made: std::collections::HashSet<PathBuf> =
            (0..5).map(|_| RunFolder::fresh(root.path(), "x").unwrap().path().to_path_buf()).collect();
        assert_eq!(made.len(), 5);
    }

    #[test]
    fn what_is_no_run_is_told() {
        let root = tempfile::tempdir().unwrap();
        let text = RunFolder::open(root.path()).unwrap_err().to_string();
        assert!(text.contains("no config.toml here: expected the folder of a run"), "{text}");
    }
}
