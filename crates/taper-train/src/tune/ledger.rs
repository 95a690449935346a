//! `ledger.toml`: the settings of a search and the result of each job, so that the search can be continued after any
//! end.
//!
//! It is TOML and not JSON, since our reader of JSON may differ in the last bit from a number that it wrote.

use super::{Settings, Space};
use crate::claim::Claim;
use crate::config::moved::current;
use crate::error::shown;
use crate::task::LOSS;
use crate::{Config, Error, Evaluation, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use taper_nn::taper_tensor::files;
use toml::{Table, Value};

pub(crate) const LEDGER: &str = "ledger.toml";
/// The lock file of the process that runs the search. It is hidden, so that it is not taken for a run.
const LOCK: &str = ".lock";

/// The name of the folder of trial `number`.
pub(super) fn trial_name(number: u64) -> String {
    format!("trial-{number:03}")
}

/// The result of training a trial up to a rung.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The trial, counted from 1.
    pub trial: u64,
    /// The epochs that the trial had been trained for in all.
    pub epochs: u64,
    /// The validation loss, finite; `None` if the trial failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// The other metrics on the validation split, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
    /// Why the trial failed, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

impl Entry {
    pub(super) fn new(trial: u64, epochs: u64, found: Result<Evaluation, String>) -> Self {
        let (loss, metrics, failed) = match found {
            Ok(found) => {
                let others = found.values().filter(|(name, _)| *name != LOSS);
                (Some(found.loss()), others.map(|(name, value)| (name.to_string(), value)).collect(), None)
            }
            Err(reason) => (None, BTreeMap::new(), Some(reason)),
        };
        Self { trial, epochs, loss, metrics, failed }
    }
}

/// The contents of the file: the settings that the results depend on, and the results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    settings: Settings,
    /// The range of each key that is searched over, as text.
    space: BTreeMap<String, String>,
    /// The values of all other keys of the configuration, except `device.*`, which may change when a search is
    /// continued.
    config: BTreeMap<String, String>,
    /// The results, in the order of the jobs.
    #[serde(default)]
    result: Vec<Entry>,
}

/// The ledger of a search, in memory and on the disk.
#[derive(Debug)]
pub(super) struct Ledger {
    path: PathBuf,
    content: Content,
    /// The lock: only one process runs a search at a time.
    _claim: Claim,
}

impl Content {
    /// The ledger of a new search.
    fn new(settings: &Settings, space: &Space, config: &Config) -> Self {
        let searched = |name: &str| space.keys().any(|(key, _)| current(key) == name);
        let values = config.values().into_iter().filter(|(name, _)| !name.starts_with("device.") && !searched(name));
        Self {
            settings: settings.clone(),
            space: space.keys().map(|(key, range)| (key.to_string(), range.to_string())).collect(),
            config: values.map(|(name, value)| (name, text(value))).collect(),
            result: Vec::new(),
        }
    }

    /// Errs when these cannot be the results of such a search: the file may be damaged, or made by hand.
    fn check(&self) -> Result<(), String> {
        let (rungs, mut seen) = (self.settings.rungs(), BTreeSet::new());
        let sound = |entry: &&Entry| {
            let measured = entry.loss.is_some_and(f64::is_finite);
            (1..=self.settings.trials).contains(&entry.trial)
                && rungs.contains(&entry.epochs)
                && (measured != entry.failed.is_some())
        };
        for (i, entry) in self.result.iter().enumerate() {
            if !sound(&entry) || !seen.insert((entry.trial, entry.epochs)) {
                let Entry { trial, epochs, .. } = entry;
                return Err(format!("result {} (trial {trial}, {epochs} epochs) is none of this search", i + 1));
            }
        }
        Ok(())
    }

    /// The settings of the search by name.
    fn parts(&self) -> BTreeMap<String, String> {
        let settings = Table::try_from(&self.settings).unwrap_or_default();
        let settings = settings.into_iter().map(|(name, value)| (format!("--{}", name.replace('_', "-")), text(value)));
        let space = self.space.iter().map(|(key, range)| (format!("the range of {key}"), range.clone()));
        // `train.epochs` is that of `--max-epochs`, which is listed already.
        let config = self.config.iter().filter(|(key, _)| *key != "train.epochs");
        settings.chain(space).chain(config.map(|(key, value)| (current(key).into_owned(), value.clone()))).collect()
    }
}

/// A value as texts show it: a string has no quotes.
fn text(value: Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

/// `LEDGER is THERE there and HERE here`, for each setting in which two searches differ.
fn differences(there: &Content, here: &Content) -> Vec<String> {
    let (there, here) = (there.parts(), here.parts());
    let names: BTreeSet<&String> = there.keys().chain(here.keys()).collect();
    let said = |value: Option<&String>| value.map_or("nothing".into(), |value| format!("`{value}`"));
    // An earlier version has written every key, under the tables that name something too, and does not know later keys.
    let default = Config::default();
    let same = |name: &str| match (there.get(name), here.get(name)) {
        (None, now) => now == default.get(name).as_ref(),
        (Some(_), None) if name.starts_with("schedule.") => true,
        (Some(was), None) => name.starts_with("task.") && ["0.0", "one", "mean"].contains(&was.as_str()),
        // Empty is the task's own choice, which was said for all tasks.
        (Some(was), Some(now)) => was == now || (name == "checkpoint.monitor" && now.is_empty()),
    };
    let differ = names.into_iter().filter(|name| !same(name));
    differ.map(|name| format!("{name} is {} there and {} here", said(there.get(name)), said(here.get(name)))).collect()
}

impl Ledger {
    /// Opens the ledger in `dir`, or begins a new one in a folder that is empty or does not exist.
    ///
    /// # Errors
    /// A folder that holds another search or other files, or that cannot be written to.
    pub fn open(dir: &Path, settings: &Settings, space: &Space, config: &Config) -> Result<Self> {
        let path = dir.join(LEDGER);
        let new = Content::new(settings, space, config);
        let read = || match files::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => refuse_files(dir).map(|()| None),
            Err(error) => Err(Error::io("read", &path)(error)),
        };
        // Checked before anything is written to the folder, and again once it is locked.
        read()?;
        let Some(claim) = Claim::take(&dir.join(LOCK))? else {
            let detail = "this search is under way already: wait for that to end, or stop it first";
            return Err(Error::RunFolder { path: dir.to_path_buf(), detail: detail.into() });
        };
        match read()? {
            Some(text) => Self::continued(path.clone(), &text, new, claim),
            None => {
                let ledger = Self { path: path.clone(), content: new, _claim: claim };
                ledger.write()?;
                Ok(ledger)
            }
        }
    }

    fn continued(path: PathBuf, text: &str, new: Content, claim: Claim) -> Result<Self> {
        let content: Content = toml::from_str(text).map_err(|error| Error::RunFolder {
            path: path.clone(),
            detail: format!("not the ledger of a search of this version: {error}"),
        })?;
        let differ = differences(&content, &new);
        if differ.is_empty() {
            content.check().map_err(|detail| Error::RunFolder { path: path.clone(), detail })?;
            return Ok(Self { path, content, _claim: claim });
        }
        let begun = |number| path.with_file_name(trial_name(number)).exists();
        if !begun(1) && !content.result.iter().any(|entry| begun(entry.trial)) {
            // No trial was trained, perhaps because all were refused: the new settings replace the old ones.
            let ledger = Self { path, content: new, _claim: claim };
            ledger.write()?;
            return Ok(ledger);
        }
        Err(Error::Usage(format!(
            "{} is of another search: {}; the same settings continue it, another --dir begins a new one",
            shown(&path),
            differ.join(", ")
        )))
    }

    pub fn results(&self) -> &[Entry] {
        &self.content.result
    }

    pub fn settings(&self) -> &Settings {
        &self.content.settings
    }

    /// Adds a result; it is on the disk when this returns.
    pub fn add(&mut self, entry: Entry) -> Result<()> {
        self.content.result.push(entry);
        self.write()
    }

    fn write(&self) -> Result<()> {
        let text = toml::to_string(&self.content)
            .map_err(|error| Error::Usage(format!("the ledger cannot be written as TOML: {error}")))?;
        let all = format!("# A search of the command `tune`. The same command continues it.\n{text}");
        Ok(taper_data::atomic_write(&self.path, all.as_bytes())?)
    }
}

/// Errs when `dir` holds anything but what a kill during the first write leaves. The folder need not exist.
fn refuse_files(dir: &Path) -> Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(Error::io("read the folder", dir))?,
    };
    if entries.flatten().all(|entry| entry.file_name().as_encoded_bytes().starts_with(b".")) {
        return Ok(());
    }
    let detail = format!("the folder holds files but no {LEDGER}, so it is of no search; name another or remove it");
    Err(Error::RunFolder { path: dir.to_path_buf(), detail })
}
