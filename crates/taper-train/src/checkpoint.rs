//! A checkpoint: one safetensors file with everything that is needed to resume a run exactly where it was.
//!
//! Its tensors are the weights (`model.conv1.weight`), the optimiser's state (`optimizer.conv1.weight.exp_avg`) and the
//! moving average of the weights (`ema.conv1.weight`). Everything else is JSON in the file's metadata, under `taper`:
//! the epoch and step, the state of schedules and hooks, and the lengths of the files that the run appends to. Random
//! numbers need no state: they are keyed by seed, epoch and step. The file is written under a temporary name and then
//! renamed, so that a checkpoint is never incomplete.

use crate::error::shown;
use crate::fit::Progress;
use crate::monitor::Monitor;
use crate::{Config, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use taper_nn::taper_tensor::printable;
use taper_nn::{DType, Device, Param, Tensor, weights};

/// The key of the JSON in the file's metadata.
const KEY: &str = "taper";
/// The version that is written and read: 3, since which the sums of an epoch are those of the task's metrics.
pub(crate) const VERSION: u32 = 3;

/// Everything in a checkpoint that is not a tensor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) version: u32,
    /// The configuration as TOML, which keeps every number to its last bit; empty in files older than this field.
    #[serde(default)]
    pub(crate) settings: String,
    /// Steps of the whole run, and of one epoch.
    pub(crate) steps: [u64; 2],
    pub(crate) progress: Progress,
    /// The state of each group's schedule.
    pub(crate) schedules: Vec<Vec<f64>>,
    /// The gradient norms of the layers, and the warnings about them.
    pub(crate) monitor: Monitor,
    /// The state of each hook.
    pub(crate) hooks: Vec<Value>,
    /// The length in bytes of each file that the run appends to.
    pub(crate) lengths: BTreeMap<String, u64>,
}

/// The version in a checkpoint's JSON, whatever else there is.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// A checkpoint in memory.
pub(crate) struct Checkpoint {
    pub(crate) metadata: Metadata,
    pub(crate) model: Vec<(String, Tensor)>,
    pub(crate) optimizer: Vec<(String, Tensor)>,
    pub(crate) ema: Vec<(String, Tensor)>,
}

impl Metadata {
    /// The configuration, or `None` if the file holds none.
    pub(crate) fn config(&self) -> Result<Option<Config>, String> {
        let read = || toml::from_str(&self.settings).map_err(|e| format!("its configuration is damaged: {e}"));
        (!self.settings.is_empty()).then(read).transpose()
    }

    /// Errs when the numbers cannot be those of a run: the file may be damaged, or made by hand.
    fn check(&self) -> Result<(), String> {
        let [steps, per_epoch] = self.steps;
        self.progress.check(steps, per_epoch)?;
        self.monitor.check(self.progress.step)
    }
}

/// What [`read_checkpoint`] returns.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointInfo {
    /// Steps trained so far.
    pub step: u64,
    /// Steps of the whole run.
    pub steps: u64,
    /// The configuration, if the file holds it.
    pub config: Option<Config>,
    /// The names and shapes of the weights.
    pub weights: Vec<(String, Vec<usize>)>,
}

/// Reads and checks the whole checkpoint in the file `path`, as resuming does. Its tensors are put on `device` and
/// dropped.
///
/// # Errors
/// A file that cannot be read, is not a checkpoint, is of an unknown version, or is damaged.
pub fn read_checkpoint(path: impl AsRef<Path>, device: &Device) -> Result<CheckpointInfo> {
    let path = path.as_ref();
    let Checkpoint { metadata, model, .. } = Checkpoint::read(path, device)?;
    let config = metadata.config().map_err(|detail| broken(path, &detail))?;
    let weights = model.into_iter().map(|(name, tensor)| (name, tensor.shape().to_vec())).collect();
    Ok(CheckpointInfo { step: metadata.progress.step, steps: metadata.steps[0], config, weights })
}

impl Checkpoint {
    /// Writes the checkpoint to `path`, replacing an older one: to a temporary file, which is synced and then renamed.
    pub(crate) fn write(self, path: &Path) -> Result<()> {
        let _span = tracing::info_span!("checkpoint").entered();
        let note = serde_json::to_string(&self.metadata).map_err(|e| broken(path, &e.to_string()))?;
        let named = |part: &'static str, tensors: Vec<(String, Tensor)>| {
            tensors.into_iter().map(move |(name, tensor)| (format!("{part}.{name}"), tensor))
        };
        let tensors = named("model", self.model)
            .chain(named("optimizer", self.optimizer))
            .chain(named("ema", self.ema))
            .collect::<Vec<_>>();
        Ok(weights::save_noted(&tensors, KEY, &note, path)?)
    }

    /// Reads the checkpoint in the file `path` and puts its tensors on `device`.
    ///
    /// # Errors
    /// A file that is not a checkpoint, or is of another version.
    pub(crate) fn read(path: &Path, device: &Device) -> Result<Self> {
        let (tensors, note) = weights::read_noted(KEY, path, device).map_err(|error| match error {
            memory @ taper_nn::Error::OutOfMemory { .. } => memory.into(),
            other => broken(path, &other.to_string()),
        })?;
        let note = note.ok_or_else(|| broken(path, "it is no checkpoint"))?;
        // The version first: what else there is depends on it.
        let Versioned { version } = serde_json::from_str(&note).map_err(|e| broken(path, &e.to_string()))?;
        if version != VERSION {
            let detail = format!(
                "it is of version {version}, and this program reads version {VERSION}: the version of Taper that began \
                 the run can finish it"
            );
            return Err(broken(path, &detail));
        }
        let metadata: Metadata = serde_json::from_str(&note).map_err(|e| broken(path, &e.to_string()))?;
        metadata.check().map_err(|detail| broken(path, &detail))?;
        let mut checkpoint = Self { metadata, model: Vec::new(), optimizer: Vec::new(), ema: Vec::new() };
        for (name, tensor) in tensors {
            let part = match name.split_once('.') {
                Some(("model", rest)) => Some((&mut checkpoint.model, rest)),
                Some(("optimizer", rest)) => Some((&mut checkpoint.optimizer, rest)),
                Some(("ema", rest)) => Some((&mut checkpoint.ema, rest)),
                _ => None,
            };
            match part {
                Some((part, rest)) => part.push((rest.to_owned(), tensor)),
                None => return Err(broken(path, &format!("it has a tensor called {}", printable(&name)))),
            }
        }
        checkpoint.check_counts().map_err(|detail| broken(path, &detail))?;
        Ok(checkpoint)
    }

    /// Errs when the optimiser or the average counts more steps than were made: each step updates a parameter once at
    /// most.
    fn check_counts(&self) -> Result<(), String> {
        let made = self.metadata.progress.step;
        for (name, tensor) in self.optimizer.iter().chain(&self.ema).filter(|(_, t)| t.dtype() == DType::I64) {
            let counts = tensor.to_vec::<i64>().map_err(|error| error.to_string())?;
            if let Some(count) = counts.iter().find(|count| !u64::try_from(**count).is_ok_and(|count| count <= made)) {
                return Err(format!("it counts {count} steps for {}, and {made} in all", printable(name)));
            }
        }
        Ok(())
    }

    /// Sets `params` to the checkpoint's weights, which must hold each of them.
    pub(crate) fn restore_model(&self, params: &[Param]) -> Result<()> {
        for param in params {
            let found = self.model.iter().find(|(name, _)| name == param.name());
            let detail = || format!("the checkpoint has no weights called {}", param.name());
            param.set(&found.ok_or_else(|| Error::Usage(detail()))?.1)?;
        }
        Ok(())
    }
}

pub(crate) fn broken(path: &Path, detail: &str) -> Error {
    let folder = path.parent().and_then(Path::parent).unwrap_or(path).to_path_buf();
    let detail = format!("cannot go on from {}: {detail}; remove it to start the run over", shown(path));
    Error::RunFolder { path: folder, detail }
}

/// The name and value of each of `params`.
pub(crate) fn named(params: &[Param]) -> Vec<(String, Tensor)> {
    params.iter().map(|param| (param.name().to_owned(), param.tensor().detach())).collect()
}
