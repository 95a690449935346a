//! Listing the runs in a folder: the state of each, its results, and the settings in which they differ.
//!
//! Files are read leniently, whatever version wrote them: `config.toml` as a table of any keys, `metrics.jsonl` line by
//! line with unknown fields ignored. A run that cannot be read is listed with its problem, and affects no other.

use crate::error::shown;
use crate::tune::LEDGER;
use crate::{Error, MetricRecord, Result, nearest};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use taper_nn::taper_tensor::{files, printable};
use toml::{Table, Value};

/// On a file system without locks, a run whose files changed within this time counts as running.
const LATELY: Duration = Duration::from_secs(120);

/// A run, as read from its folder.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Run {
    /// The folder's name.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// The state of the run.
    pub state: State,
    /// What is wrong with the folder, if anything. The other fields hold what could be read.
    pub problem: Option<String>,
    /// The experiment's name.
    pub experiment: Option<String>,
    /// The model's name.
    pub model: Option<String>,
    /// The time at which the run started, in UTC.
    pub started: Option<String>,
    /// Epochs done.
    pub epochs: u64,
    /// `train.epochs` of its configuration.
    pub epochs_set: Option<u64>,
    /// The last step in `metrics.jsonl`.
    pub steps: u64,
    /// The metrics of the task, the loss first, as far as they are known.
    pub metrics: Vec<MetricRecord>,
    /// The metric that selects the best epoch.
    pub monitor: String,
    /// The values of the metrics: `train_NAME` of the last epoch, `best_validation_NAME` of all epochs, `test_NAME`.
    #[serde(flatten)]
    pub values: BTreeMap<String, f64>,
    /// Training samples per second in the last epoch, without evaluation.
    pub samples_per_s: Option<f64>,
    /// Wall time in seconds of all epochs and of the test.
    pub seconds: f64,
    /// The configuration: each key with its value.
    pub settings: BTreeMap<String, String>,
    /// The keys, with their values, in which this run differs from another listed run of the same experiment.
    pub differs: BTreeMap<String, String>,
}

/// The state of a run, as far as its files tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Trained to the end and tested; for a trial of a search, trained to the end.
    Finished,
    /// A process is training it. On a file system without locks, or before training begins: its files changed within
    /// the last two minutes.
    Running,
    /// A trial whose search has not asked for more epochs yet.
    Paused,
    /// Stopped by the user; it can be resumed.
    Stopped,
    /// Neither finished nor running: it was killed, or it failed.
    Unfinished,
    /// Not a run folder, or a damaged one.
    #[default]
    Broken,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Finished => "finished",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Unfinished => "unfinished",
            Self::Broken => "broken",
        })
    }
}

/// A key of the configuration in which some runs differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The dotted key.
    pub key: String,
    /// The value in each run; `None` for a run without the key.
    pub values: Vec<Option<String>>,
}

/// A line of `metrics.jsonl`: of a step, an epoch, or the end.
#[derive(Deserialize)]
struct Line {
    step: Option<u64>,
    epoch: Option<u64>,
    #[serde(alias = "images_per_s")]
    samples_per_s: Option<f64>,
    seconds: Option<f64>,
    #[serde(default)]
    stopped: bool,
    /// Everything else: among it `train_NAME`, `validation_NAME`, `test_NAME` for each metric.
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

/// All runs in the folder `root`, by name; only `root` if it is a run folder itself. Files, hidden folders and the
/// folders of searches are left out; the trials of a search can be listed by its folder.
///
/// # Errors
/// A `root` that cannot be read. A run that cannot be read is listed with its problem.
pub fn list(root: &Path) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    if root.join("config.toml").is_file() {
        runs.push(read(root));
    } else {
        for entry in fs::read_dir(root).map_err(Error::io("read the folder", root))? {
            let path = entry.map_err(Error::io("read the folder", root))?.path();
            let search = path.join(LEDGER).is_file();
            if path.is_dir() && !search && !name(&path).starts_with('.') {
                runs.push(read(&path));
            }
        }
    }
    runs.sort_by(|a, b| a.name.cmp(&b.name));
    let experiments: BTreeSet<Option<String>> = runs.iter().map(|run| run.experiment.clone()).collect();
    for experiment in experiments {
        mark_differences(&mut runs.iter_mut().filter(|run| run.experiment == experiment).collect::<Vec<_>>());
    }
    Ok(runs)
}

/// The runs `names`, in that order: each is the name of a folder in `root`, or a path. [`Run::differs`] compares all of
/// them, whatever their experiments.
///
/// # Errors
/// A folder that does not exist; the error lists the nearest names.
pub fn named(root: &Path, names: &[String]) -> Result<Vec<Run>> {
    let find = |name: &String| {
        let below = root.join(name);
        let path = if below.is_dir() { below } else { PathBuf::from(name) };
        if path.is_dir() {
            return Ok(read(&path));
        }
        let known = list(root).unwrap_or_default();
        let near = nearest(name, known.iter().map(|run| run.name.as_str()));
        let tip = if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) };
        Err(Error::Usage(format!("no run `{}` in {}{tip}", printable(name), shown(root))))
    };
    let mut runs = names.iter().map(find).collect::<Result<Vec<_>>>()?;
    mark_differences(&mut runs.iter_mut().collect::<Vec<_>>());
    Ok(runs)
}

/// The keys whose values differ between `runs`, by name. Runs without a readable configuration are left out.
pub fn differences(runs: &[Run]) -> Vec<Difference> {
    let keys = differing(&runs.iter().map(|run| &run.settings).collect::<Vec<_>>());
    let values = |key: &String| runs.iter().map(|run| run.settings.get(key).cloned()).collect();
    keys.into_iter().map(|key| Difference { values: values(&key), key }).collect()
}

/// `runs` as a JSON array, each an object with the fields of [`Run`].
pub fn to_json(runs: &[Run]) -> String {
    // Strings, numbers and maps with string keys: serialising them cannot fail.
    let text = serde_json::to_string_pretty(runs).unwrap_or_default();
    // JSON does not escape all control characters that a terminal interprets. They can only stand in strings, where
    // escapes are allowed.
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if char != '\n' && printable(char.encode_utf8(&mut [0; 4])) != *char.to_string() {
            escaped.push_str(&format!("\\u{:04x}", u32::from(char)));
        } else {
            escaped.push(char);
        }
    }
    escaped
}

/// Fills [`Run::differs`] with the keys whose values differ between `runs`.
fn mark_differences(runs: &mut [&mut Run]) {
    let keys = differing(&runs.iter().map(|run| &run.settings).collect::<Vec<_>>());
    for run in runs {
        let value = |key: &String| Some((key.clone(), run.settings.get(key)?.clone()));
        run.differs = keys.iter().filter_map(value).collect();
    }
}

/// The keys whose values differ between `settings`, by name. Empty ones, of folders that could not be read, are left
/// out.
fn differing(settings: &[&BTreeMap<String, String>]) -> Vec<String> {
    let read = || settings.iter().filter(|settings| !settings.is_empty());
    let keys: BTreeSet<&String> = read().flat_map(|settings| settings.keys()).collect();
    let differ = |key: &&String| read().map(|settings| settings.get(*key)).collect::<BTreeSet<_>>().len() > 1;
    keys.into_iter().filter(differ).cloned().collect()
}

/// Reads one run folder. Errors go to [`Run::problem`].
fn read(path: &Path) -> Run {
    let mut run = Run { name: name(path), path: path.to_path_buf(), ..Run::default() };
    if let Err(problem) = read_config(&mut run).and_then(|()| read_metrics(&mut run)) {
        (run.state, run.problem) = (State::Broken, Some(problem));
    }
    run
}

/// The name of a folder, also of `.` and `..`.
fn name(path: &Path) -> String {
    let whole =
        if path.file_name().is_some() { path.to_path_buf() } else { fs::canonicalize(path).unwrap_or_default() };
    whole.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn read_config(run: &mut Run) -> Result<(), String> {
    let path = run.path.join("config.toml");
    if !path.exists() {
        return Err("no config.toml: not the folder of a run".into());
    }
    let text = files::read_to_string(&path).map_err(|error| format!("config.toml: {error}"))?;
    let mut table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
        format!("config.toml: line {line}: {}", error.message())
    })?;
    let record = table.remove("record");
    let recorded = |key: &str| Some(record.as_ref()?.get(key)?.as_str()?.to_string());
    (run.experiment, run.started) = (recorded("experiment"), recorded("started"));
    let listed = record.as_ref().and_then(|record| record.get("metrics")).cloned();
    // A folder from before metrics were recorded is that of a classifier.
    run.metrics = listed.and_then(|metrics| metrics.try_into().ok()).unwrap_or_else(|| {
        let of = |name: &str, unit: &str, higher| MetricRecord { name: name.into(), unit: unit.into(), higher };
        vec![of("loss", "nats", false), of("accuracy", "%", true)]
    });
    run.monitor = recorded("monitor").unwrap_or_else(|| "accuracy".into());
    crate::config::moved::update(&mut table);
    flatten("", &table, &mut run.settings);
    run.model = run.settings.get("model.name").or_else(|| run.settings.get("model")).cloned();
    run.epochs_set = run.settings.get("train.epochs").and_then(|epochs| epochs.parse().ok());
    Ok(())
}

/// Collects the leaves of a table with their dotted keys.
fn flatten(prefix: &str, table: &Table, found: &mut BTreeMap<String, String>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) => flatten(&key, inner, found),
            Value::String(text) => drop(found.insert(key, text.clone())),
            other => drop(found.insert(key, other.to_string())),
        }
    }
}

fn read_metrics(run: &mut Run) -> Result<(), String> {
    let path = run.path.join("metrics.jsonl");
    if !path.exists() {
        // There are no metrics yet.
        run.state = if is_trained(run, &run.path.join("config.toml")) { State::Running } else { State::Unfinished };
        return Ok(());
    }
    let bytes = files::read(&path).map_err(|error| format!("metrics.jsonl: {error}"))?;
    let whole = bytes.ends_with(b"\n");
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    run.state = State::Unfinished;
    // After the last line end there is nothing, or a line that a kill has cut.
    for (i, bytes) in lines[..lines.len() - 1].iter().enumerate() {
        let line: Line =
            serde_json::from_slice(bytes).map_err(|error| format!("metrics.jsonl: line {}: {error}", i + 1))?;
        run.add(&line);
    }
    let ended = run.state != State::Unfinished && whole;
    // The last line of a trial that was paused or has ended is that of an epoch.
    let trial = run.path.join("..").join(LEDGER).is_file();
    run.state = match run.state {
        State::Finished | State::Stopped if ended => run.state,
        _ if is_trained(run, &path) => State::Running,
        State::Paused if ended && trial && run.epochs_set == Some(run.epochs) => State::Finished,
        State::Paused if ended && trial => State::Paused,
        _ => State::Unfinished,
    };
    Ok(())
}

impl Run {
    /// Adds the contents of `line`.
    fn add(&mut self, line: &Line) {
        self.steps = line.step.unwrap_or(self.steps);
        self.seconds += line.seconds.unwrap_or(0.0);
        // A finished run that was resumed with more epochs is not finished any more.
        self.state = if line.stopped { State::Stopped } else { State::Unfinished };
        if let Some(epoch) = line.epoch {
            // [`State::Paused`] is only provisional: it is decided when all lines are read.
            self.state = State::Paused;
            self.epochs = epoch;
            self.samples_per_s = line.samples_per_s.or(self.samples_per_s);
            for (name, value) in line.of_split("train_") {
                self.values.insert(format!("train_{name}"), value);
            }
            for (name, value) in line.of_split("validation_") {
                let higher = self.metrics.iter().any(|metric| metric.name == name && metric.higher);
                let best = self.values.entry(format!("best_validation_{name}")).or_insert(value);
                *best = if higher { best.max(value) } else { best.min(value) };
            }
        } else if line.of_split("test_").next().is_some() {
            self.values.extend(line.of_split("test_").map(|(name, value)| (format!("test_{name}"), value)));
            self.state = State::Finished;
        }
    }
}

impl Line {
    /// The metrics whose key begins with `split`, by name.
    fn of_split<'a>(&'a self, split: &'a str) -> impl Iterator<Item = (&'a str, f64)> + 'a {
        self.rest.iter().filter_map(move |(key, value)| Some((key.strip_prefix(split)?, value.as_f64()?)))
    }
}

impl Run {
    /// The value of a metric: the best on the validation split, or that on the test split.
    pub fn value(&self, split: &str, metric: &str) -> Option<f64> {
        self.values.get(&format!("{split}_{metric}")).copied()
    }
}

/// Whether a process is training the run: it holds the lock beside the checkpoints. If there is no lock to ask, whether
/// the file `path` was written to lately.
fn is_trained(run: &Run, path: &Path) -> bool {
    let lock = files::open(run.path.join("checkpoints/lock")).ok().map(|lock| lock.try_lock_shared());
    match lock {
        Some(Ok(())) => false,
        Some(Err(TryLockError::WouldBlock)) => true,
        Some(Err(TryLockError::Error(_))) | None => is_recent(path),
    }
}

/// Whether the file `path` was written to lately. A time in the future, from a clock that was set back, counts as late.
fn is_recent(path: &Path) -> bool {
    let changed = fs::metadata(path).and_then(|metadata| metadata.modified());
    changed.is_ok_and(|changed| SystemTime::now().duration_since(changed).map_or(true, |age| age < LATELY))
}
