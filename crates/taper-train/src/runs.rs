//! The runs below a folder: how each stands, and in which settings they differ.
//!
//! Files are read as they are, whatever version wrote them: `config.toml` as a table of any keys, `metrics.jsonl`
//! line by line, unknown fields ignored. What cannot be read is told of its run alone.

use crate::error::shown;
use crate::tune::LEDGER;
use crate::{Error, Result, nearest};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use taper_nn::taper_tensor::{files, printable};
use toml::{Table, Value};

/// Where no lock tells, a run that was written to so lately is taken to be running.
const LATELY: Duration = Duration::from_secs(120);

/// A run's folder, read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Run {
    /// The folder's name.
    pub name: String,
    /// The folder.
    pub path: PathBuf,
    /// How it stands.
    pub state: State,
    /// What is wrong with the folder; what is known all the same is in the other fields.
    pub problem: Option<String>,
    /// The experiment's name.
    pub experiment: Option<String>,
    /// The model's name.
    pub model: Option<String>,
    /// When it started, in UTC.
    pub started: Option<String>,
    /// Epochs made.
    pub epochs: u64,
    /// Epochs that it was set to make.
    pub epochs_set: Option<u64>,
    /// The last step that was written down.
    pub steps: u64,
    /// The mean training loss of the last epoch.
    pub train_loss: Option<f64>,
    /// The lowest validation loss of all epochs.
    pub best_validation_loss: Option<f64>,
    /// The highest validation accuracy of all epochs.
    pub best_validation_accuracy: Option<f64>,
    /// At the end.
    pub test_loss: Option<f64>,
    /// At the end.
    pub test_accuracy: Option<f64>,
    /// Samples a second in the last epoch, training steps alone.
    pub images_per_s: Option<f64>,
    /// Wall time of all epochs, and of the measurement at the end.
    pub seconds: f64,
    /// Each key of the configuration with its value.
    pub settings: BTreeMap<String, String>,
    /// The keys, with their values, in which it differs from another listed run of the same experiment.
    pub differs: BTreeMap<String, String>,
}

/// How a run stands, as far as its files tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Trained to the end, and measured there; the trial of a search, without the test.
    Finished,
    /// A process trains it. Before that has begun, or where the file system has no locks: written to within two
    /// minutes.
    Running,
    /// A trial whose search has not asked for more epochs so far.
    Paused,
    /// Ended by its user, which it wrote down.
    Stopped,
    /// Neither finished nor being trained: killed, or it failed.
    Unfinished,
    /// The folder of no run, or a damaged one.
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

/// A key that is not the same in all of some runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The dotted key.
    pub key: String,
    /// The value in each run; `None` where the key is not there.
    pub values: Vec<Option<String>>,
}

/// A line of `metrics.jsonl`: of a step, of an epoch, or of the end.
#[derive(Deserialize)]
struct Line {
    step: Option<u64>,
    epoch: Option<u64>,
    train_loss: Option<f64>,
    validation_loss: Option<f64>,
    validation_accuracy: Option<f64>,
    test_loss: Option<f64>,
    test_accuracy: Option<f64>,
    images_per_s: Option<f64>,
    seconds: Option<f64>,
    #[serde(default)]
    stopped: bool,
}

/// All runs below `root`, by name; `root` alone if it is a run's folder itself. Hidden folders, files, and the folders
/// of searches, whose trials are runs of their own, are passed over.
///
/// # Errors
/// Where `root` cannot be read. A run that cannot is listed with its problem.
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

/// The runs called `names`, in that order: each a folder's name below `root`, or a path. Here [`Run::differs`] is
/// from all of the others, whatever their experiments.
///
/// # Errors
/// Where there is no such folder, with the nearest names.
pub fn named(root: &Path, names: &[String]) -> Result<Vec<Run>> {
    let find = |name: &String| {
        let below = root.join(name);
        let path = if below.is_dir() { below } else { PathBuf::from(name) };
        if path.is_dir() {
            return Ok(read(&path));
        }
        let known = list(root).unwrap_or_default();
        let near = nearest(name, known.iter().map(|run| run.name.as_str()));
        let what = if near.is_empty() {
            "`taper runs` lists them".into()
        } else {
            format!("did you mean {}?", near.join(" or "))
        };
        Err(Error::Usage(format!("no run `{}` in {}; {what}", printable(name), shown(root))))
    };
    let mut runs = names.iter().map(find).collect::<Result<Vec<_>>>()?;
    mark_differences(&mut runs.iter_mut().collect::<Vec<_>>());
    Ok(runs)
}

/// The keys whose values are not the same in all of `runs`, by name. A run without readable configuration does not
/// count.
pub fn differences(runs: &[Run]) -> Vec<Difference> {
    let keys = differing(&runs.iter().map(|run| &run.settings).collect::<Vec<_>>());
    let values = |key: &String| runs.iter().map(|run| run.settings.get(key).cloned()).collect();
    keys.into_iter().map(|key| Difference { values: values(&key), key }).collect()
}

/// `runs` as a JSON array, each an object with the fields of [`Run`].
pub fn to_json(runs: &[Run]) -> String {
    // Strings, numbers and maps with strings for keys: nothing in it can fail.
    let text = serde_json::to_string_pretty(runs).unwrap_or_default();
    // JSON leaves some of what a terminal obeys as it is: in strings, the only place for it, it may be escaped too.
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

/// Fills [`Run::differs`] with the keys that are not the same in all of `runs`.
fn mark_differences(runs: &mut [&mut Run]) {
    let keys = differing(&runs.iter().map(|run| &run.settings).collect::<Vec<_>>());
    for run in runs {
        let value = |key: &String| Some((key.clone(), run.settings.get(key)?.clone()));
        run.differs = keys.iter().filter_map(value).collect();
    }
}

/// The keys that are not the same in all of `settings`, by name; empty ones, of folders that could not be read, do
/// not count.
fn differing(settings: &[&BTreeMap<String, String>]) -> Vec<String> {
    let read = || settings.iter().filter(|settings| !settings.is_empty());
    let keys: BTreeSet<&String> = read().flat_map(|settings| settings.keys()).collect();
    let differ = |key: &&String| read().map(|settings| settings.get(*key)).collect::<BTreeSet<_>>().len() > 1;
    keys.into_iter().filter(differ).cloned().collect()
}

/// Reads one folder. What goes wrong is in [`Run::problem`].
fn read(path: &Path) -> Run {
    let mut run = Run { name: name(path), path: path.to_path_buf(), ..Run::default() };
    if let Err(problem) = read_config(&mut run).and_then(|()| read_metrics(&mut run)) {
        (run.state, run.problem) = (State::Broken, Some(problem));
    }
    run
}

/// A folder's own name, also of `.` and `..`.
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
    flatten("", &table, &mut run.settings);
    run.model = run.settings.get("model").cloned();
    run.epochs_set = run.settings.get("train.epochs").and_then(|epochs| epochs.parse().ok());
    Ok(())
}

/// The leaves of a table with their dotted keys.
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
        // Nothing was measured yet.
        run.state = if is_trained(run, &run.path.join("config.toml")) { State::Running } else { State::Unfinished };
        return Ok(());
    }
    let bytes = files::read(&path).map_err(|error| format!("metrics.jsonl: {error}"))?;
    let whole = bytes.ends_with(b"\n");
    let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    run.state = State::Unfinished;
    // What follows the last end of line: nothing, or a line cut by a kill.
    for (i, bytes) in lines[..lines.len() - 1].iter().enumerate() {
        let line: Line =
            serde_json::from_slice(bytes).map_err(|error| format!("metrics.jsonl: line {}: {error}", i + 1))?;
        run.add(&line);
    }
    let ended = run.state != State::Unfinished && whole;
    // A trial's last line, where it was to pause or to end, is that of an epoch.
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
    /// Adds what `line` tells.
    fn add(&mut self, line: &Line) {
        let least = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::min);
        let most = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::max);
        self.steps = line.step.unwrap_or(self.steps);
        self.seconds += line.seconds.unwrap_or(0.0);
        // A run that goes on after its end, resumed, is at its end no more.
        self.state = if line.stopped { State::Stopped } else { State::Unfinished };
        if let Some(epoch) = line.epoch {
            // What that is worth is said when all lines are read.
            self.state = State::Paused;
            self.epochs = epoch;
            self.train_loss = line.train_loss.or(self.train_loss);
            self.images_per_s = line.images_per_s.or(self.images_per_s);
            self.best_validation_loss = least(self.best_validation_loss, line.validation_loss);
            self.best_validation_accuracy = most(self.best_validation_accuracy, line.validation_accuracy);
        } else if line.test_loss.is_some() || line.test_accuracy.is_some() {
            (self.test_loss, self.test_accuracy) = (line.test_loss, line.test_accuracy);
            self.state = State::Finished;
        }
    }
}

/// Whether a process trains the run: it holds the lock beside the checkpoints. Where that says nothing, whether `path`
/// was written to lately.
fn is_trained(run: &Run, path: &Path) -> bool {
    let lock = files::open(run.path.join("checkpoints/lock")).ok().map(|lock| lock.try_lock_shared());
    match lock {
        Some(Ok(())) => false,
        Some(Err(TryLockError::WouldBlock)) => true,
        Some(Err(TryLockError::Error(_))) | None => is_recent(path),
    }
}

/// Whether `path` was written to lately. A clock that was set back makes a file of the future, which is new too.
fn is_recent(path: &Path) -> bool {
    let changed = fs::metadata(path).and_then(|metadata| metadata.modified());
    changed.is_ok_and(|changed| SystemTime::now().duration_since(changed).map_or(true, |age| age < LATELY))
}
