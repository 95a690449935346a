//! A run's folder, and the paths of its files.

use crate::claim::Claim;
use crate::config::moved;
use crate::error::shown;
use crate::record::Record;
use crate::result::TestResult;
use crate::{Config, Error, Outcome, Result, resumed, shell_quoted, timestamp};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use taper_nn::taper_tensor::{files, printable};
use toml::{Table, Value};

/// The folder of one run. Its files are `config.toml` (the resolved configuration, and the [`Record`] of what the run
/// ran on), `metrics.jsonl`, `model.safetensors`, `report.html`, `result.json`, and the folders of the checkpoints and
/// of TensorBoard's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// Creates the folder `path` for a new run. An empty folder may exist there.
    ///
    /// # Errors
    /// A folder that is not empty, or cannot be created.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self> {
        let folder = Self(path.into());
        make(&folder.0)?;
        folder.refuse_files(|_| false)?;
        Ok(folder)
    }

    /// The folder of a run to resume; it is created if it does not exist.
    ///
    /// # Errors
    /// A folder that holds files, but not those of a run.
    pub fn resume(path: impl Into<PathBuf>) -> Result<Self> {
        let folder = Self(path.into());
        make(&folder.0)?;
        folder.refuse_other_files()?;
        Ok(folder)
    }

    /// Creates a new folder `ROOT/NAME-YYYYMMDD-HHMMSS` (UTC).
    pub fn fresh(root: &Path, name: &str) -> Result<Self> {
        let stem = format!("{name}-{}", timestamp::compact(SystemTime::now()));
        let (mut path, mut number, mut made) = (root.join(&stem), 1_u64, create_with_parents(root));
        loop {
            made.map_err(Error::io("create the folder", &path))?;
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                // Runs that start in the same second get a number appended.
                Err(error) if error.kind() == ErrorKind::AlreadyExists && number < MOST => {
                    number += 1;
                    path = root.join(format!("{stem}-{number}"));
                    made = Ok(());
                }
                // A run that failed has just removed the empty root folder.
                Err(error) if error.kind() == ErrorKind::NotFound && number < MOST => {
                    number += 1;
                    made = create_with_parents(root);
                }
                Err(error) => made = Err(error),
            }
        }
    }

    /// Opens the folder of an earlier run.
    ///
    /// # Errors
    /// A folder without `config.toml` or `model.safetensors`.
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

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of `config.toml`, the resolved configuration.
    pub fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// The path of `metrics.jsonl`.
    pub fn metrics(&self) -> PathBuf {
        self.0.join("metrics.jsonl")
    }

    /// The path of the folder with TensorBoard's event file.
    pub fn events(&self) -> PathBuf {
        self.0.join("events")
    }

    /// The path of `report.html`.
    pub fn report(&self) -> PathBuf {
        self.0.join("report.html")
    }

    /// The path of the folder with the checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.0.join("checkpoints")
    }

    /// The path of the last checkpoint, which a run is resumed from.
    pub fn last(&self) -> PathBuf {
        self.checkpoints().join("last.safetensors")
    }

    /// The path of the weights of the best epoch, by the validation metric.
    pub fn best(&self) -> PathBuf {
        self.checkpoints().join("best.safetensors")
    }

    /// The path of `result.json`, which is written last, when the run is finished.
    pub fn result(&self) -> PathBuf {
        self.0.join("result.json")
    }

    /// The path of `model.safetensors`, the weights.
    pub fn model(&self) -> PathBuf {
        self.0.join("model.safetensors")
    }

    /// `spec.json`: what predicting needs besides the weights and the configuration.
    pub fn spec(&self) -> PathBuf {
        self.0.join("spec.json")
    }

    /// Writes `spec.json`.
    pub(crate) fn write_spec(&self, spec: &serde_json::Value) -> Result<()> {
        let text = serde_json::to_string_pretty(spec).map_err(|e| Error::Usage(format!("the run's spec: {e}")))?;
        Ok(taper_data::atomic_write(self.spec(), text.as_bytes())?)
    }

    /// Reads `spec.json`.
    ///
    /// # Errors
    /// A run folder without it, as versions before it wrote them.
    pub fn read_spec(&self) -> Result<serde_json::Value> {
        let path = self.spec();
        if !path.is_file() {
            let detail = "no spec.json here: the run was begun by a version of Taper that did not write one, or the \
                          file was removed; `eval` can still measure it on its data";
            return Err(Error::RunFolder { path: self.0.clone(), detail: detail.into() });
        }
        let text = files::read_to_string(&path).map_err(Error::io("read", &path))?;
        serde_json::from_str(&text).map_err(|e| Error::RunFolder { path, detail: format!("not a run's spec: {e}") })
    }

    /// Writes `config.toml`: the configuration, and the record once there is one.
    pub fn write_config(&self, config: &Config, record: Option<&Record>) -> Result<()> {
        let text = |e: toml::ser::Error| Error::Usage(format!("the configuration cannot be written as TOML: {e}"));
        let record = record.map(|record| toml::to_string_pretty(&Recorded { record: record.clone() }).map_err(text));
        self.write_all(config, &record.transpose()?.unwrap_or_default())
    }

    fn write_all(&self, config: &Config, record: &str) -> Result<()> {
        let text = |e: toml::ser::Error| Error::Usage(format!("the configuration cannot be written as TOML: {e}"));
        let settings = toml::to_string_pretty(config).map_err(text)?;
        // The path is quoted for a shell, so that a line break in it cannot end the TOML comment.
        let own = shell_quoted(&self.config().to_string_lossy());
        let all = format!(
            "# What this run was set to. The same again: train NAME --config {own}\n{settings}\n\
             # What it ran on; no setting.\n{record}"
        );
        Ok(taper_data::atomic_write(self.config(), all.as_bytes())?)
    }

    /// Writes `config.toml` for a run that has not loaded its data yet: the configuration, and the experiment's name.
    pub(crate) fn write_begun(&self, config: &Config, experiment: &str) -> Result<()> {
        self.write_all(config, &format!("[record]\nexperiment = {}\n", Value::from(experiment)))
    }

    /// Errs when the folder's run is known to be of an experiment other than `name`.
    ///
    /// # Errors
    /// Another experiment, or a `config.toml` that cannot be read.
    pub fn check_experiment(&self, name: &str) -> Result<()> {
        let path = self.config();
        let text = files::read_to_string(&path).map_err(Error::io("read", &path))?;
        let table = text.parse::<Table>().unwrap_or_default();
        let found = table.get("record").and_then(|record| record.get("experiment")?.as_str());
        match found.filter(|found| *found != name) {
            None => Ok(()),
            Some(found) => {
                let (path, found) = (shown(&self.0), printable(found));
                Err(Error::Usage(format!("{path} is a run of {found}, and cannot be resumed as one of {name}")))
            }
        }
    }

    /// Reads `config.toml`. The record is `None` if the run ended before its data were loaded.
    pub fn read_config(&self) -> Result<(Config, Option<Record>)> {
        let path = self.config();
        let text = files::read_to_string(&path).map_err(Error::io("read", &path))?;
        let wrong = |e: toml::de::Error| Error::RunFolder {
            path: path.clone(),
            detail: format!("not the configuration of a run of this version: {e}"),
        };
        let mut settings: Table = text.parse().map_err(wrong)?;
        // A record that holds only the experiment's name is that of a run whose data were not loaded.
        let record = settings.remove("record").filter(|record| record.get("dataset").is_some());
        let record = record.map(|record| Table::from_iter([("record".to_string(), record)]));
        let record = record.map(|table| table.try_into().map_err(wrong)).transpose()?;
        let record = record.map(|Recorded { record }| record);
        moved::update(&mut settings);
        moved::complete(&mut settings);
        let config: Config = settings.try_into().map_err(wrong)?;
        config.check()?;
        Ok((config, record))
    }

    /// Errs unless the folder's run can be resumed with `config`: see [`resumed::check`].
    pub(crate) fn check_settings(&self, config: &Config) -> Result<()> {
        resumed::check(&self.read_config()?.0, config, "this run")
    }

    /// The results in `result.json`; `None` if the run is not finished.
    ///
    /// # Errors
    /// A file that is damaged.
    pub fn outcome(&self) -> Result<Option<Outcome>> {
        TestResult::read(self)
    }

    /// Whether there is a checkpoint to resume from.
    pub(crate) fn has_checkpoint(&self) -> bool {
        self.last().exists()
    }

    /// Locks the folder for this run, as long as the claim is held; creates the folder of the checkpoints, and removes
    /// temporary files that a killed run has left.
    ///
    /// # Errors
    /// When another process, or another run of this process, has locked it.
    pub(crate) fn claim(&self) -> Result<Claim> {
        let Some(claim) = Claim::take(&self.lock())? else {
            let detail = "this run is being trained already: wait for that to end, or stop it first";
            return Err(Error::RunFolder { path: self.0.clone(), detail: detail.into() });
        };
        remove_half_written(&self.0)?;
        remove_half_written(&self.checkpoints())?;
        Ok(claim)
    }

    /// Prepares and locks the folder `path` for a new run, or with `resume` for one that goes on. Its contents are
    /// checked again once it is locked: if two runs start at once, the second finds the files of the first.
    ///
    /// # Errors
    /// A folder that holds other files, or is locked.
    pub(crate) fn take(path: PathBuf, resume: bool) -> Result<Taken> {
        let folder = Self(path);
        let made = make(&folder.0)?;
        let fits = || if resume { folder.refuse_other_files() } else { folder.refuse_files(|_| false) };
        let taken = fits().and_then(|()| folder.claim());
        let claim = match taken {
            Ok(claim) => claim,
            Err(error) => {
                // The folder is removed only if it is empty.
                let _ = made.then(|| fs::remove_dir(&folder.0));
                return Err(error);
            }
        };
        let new = !folder.config().exists();
        let own = |path: &Path| path == folder.checkpoints();
        // A lock file that existed before belongs to a run that has started here meanwhile.
        let fits = match resume {
            true => folder.refuse_other_files(),
            false if claim.made => folder.refuse_files(own),
            false => folder.refuse_files(|_| false),
        };
        let taken = Taken { folder, claim, made, new };
        match fits {
            Ok(()) => Ok(taken),
            Err(error) => {
                taken.give_up();
                Err(error)
            }
        }
    }

    /// Errs when the folder holds a file for which `own` is false.
    fn refuse_files(&self, own: impl Fn(&Path) -> bool) -> Result<()> {
        for entry in fs::read_dir(&self.0).map_err(Error::io("read the folder", &self.0))? {
            if !own(&entry.map_err(Error::io("read the folder", &self.0))?.path()) {
                let detail =
                    "the run folder holds files already, which a new run would overwrite; name another or remove it";
                return Err(Error::RunFolder { path: self.0.clone(), detail: detail.into() });
            }
        }
        Ok(())
    }

    /// Errs when the folder holds no run, and more than a run that was killed at its start may have left.
    fn refuse_other_files(&self) -> Result<()> {
        if self.config().exists() {
            return Ok(());
        }
        let left = |path: &Path| half_written(path) || path == self.lock();
        let checkpoints = self.checkpoints();
        self.refuse_files(|path| {
            let mut entries = fs::read_dir(&checkpoints).into_iter().flatten().flatten();
            left(path) || (path == checkpoints && path.is_dir() && entries.all(|entry| left(&entry.path())))
        })
    }

    fn lock(&self) -> PathBuf {
        self.checkpoints().join("lock")
    }
}

/// A run's folder that this process has locked.
pub(crate) struct Taken {
    pub(crate) folder: RunFolder,
    claim: Claim,
    /// Whether the folder was created for this run.
    made: bool,
    /// Whether no run had started in the folder.
    pub(crate) new: bool,
}

impl Taken {
    /// Creates and locks a new folder `ROOT/NAME-…`.
    pub(crate) fn fresh(root: &Path, name: &str) -> Result<Self> {
        let folder = RunFolder::fresh(root, name)?;
        Ok(Self { claim: folder.claim()?, folder, made: true, new: true })
    }

    /// Ends a run that has failed. If it failed before training in a new folder, everything it created is removed.
    pub(crate) fn failed(self) {
        if self.new && !self.folder.metrics().exists() {
            let _ = fs::remove_file(self.folder.config());
            let _ = fs::remove_file(self.folder.spec());
            self.give_up();
        }
    }

    /// Removes what was created to lock the folder. Errors are ignored: a folder that is missing or not empty stays as
    /// it is.
    fn give_up(self) {
        let Self { folder, claim, made, .. } = self;
        let own = claim.made;
        claim.undo();
        if own {
            let _ = fs::remove_dir(folder.checkpoints());
        }
        if made {
            let _ = fs::remove_dir(&folder.0);
        }
    }
}

/// How many runs may start in one second.
const MOST: u64 = 10_000;

/// Creates the folder `path` and those above it that do not exist. Unlike `create_dir_all` alone it may run while other
/// processes create and remove the same folders, as runs that fail do.
pub(crate) fn create_with_parents(path: &Path) -> io::Result<()> {
    let mut tries = 0;
    loop {
        tries += 1;
        match fs::create_dir_all(path) {
            // The folder existed, and was removed before the call had seen that it is one.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && !path.is_file() && tries < MOST => {}
            created => return created,
        }
    }
}

/// Creates the folder `path`; returns whether it did not exist before.
fn make(path: &Path) -> Result<bool> {
    let wrong = || Error::io("create the folder", path);
    if let Some(parent) = path.parent() {
        create_with_parents(parent).map_err(wrong())?;
    }
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
        Err(error) => Err(wrong()(error)),
    }
}

/// Removes temporary files that were not renamed because the run was killed.
fn remove_half_written(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if half_written(&path) {
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
        }
    }
    Ok(())
}

/// Whether `path` has the name of a temporary file that is to be renamed.
fn half_written(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with('.') && name.ends_with(".tmp")
}

/// The table `record` as `config.toml` holds it.
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

    /// A ResNet-18 had a 3 × 3 stem for all pictures before it had a key for it.
    #[test]
    fn a_run_of_before_a_key_was_there_is_what_it_was() {
        let root = tempfile::tempdir().unwrap();
        let stem = |config: &str| {
            let folder = RunFolder::create(root.path().join("run")).unwrap();
            fs::write(folder.config(), config).unwrap();
            let (config, _) = folder.read_config().unwrap();
            fs::remove_dir_all(folder.path()).unwrap();
            config.model.rest.get("stem").and_then(Value::as_str).map(String::from)
        };
        assert_eq!(stem("model = \"resnet18\"").as_deref(), Some("cifar"));
        assert_eq!(stem("[model]\nname = \"resnet18\"").as_deref(), Some("cifar"));
        assert_eq!(stem("[model]\nname = \"resnet18\"\nstem = \"auto\"").as_deref(), Some("auto"));
        assert_eq!(stem("[model]\nname = \"resnet34\""), None);
    }

    #[test]
    fn what_is_no_run_is_told() {
        let root = tempfile::tempdir().unwrap();
        let text = RunFolder::open(root.path()).unwrap_err().to_string();
        assert!(text.contains("no config.toml here: expected the folder of a run"), "{text}");
    }
}
