//! A checkpoint: one safetensors file with everything that a run needs to go on as if it had never stopped.
//!
//! Its tensors are the weights (`model.conv1.weight`), what the optimiser remembers (`optimizer.conv1.weight.exp_avg`)
//! and the moving average (`ema.conv1.weight`). All else is JSON in the file's metadata, under `taper`: where the run
//! is, the schedules, what hooks remember, and how long the files were that grow with the run.
//! Random numbers have no state: they are keyed by seed, epoch and step. Being one file, it is there whole or not at
//! all.

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

/// Where the JSON is in the file's metadata.
const KEY: &str = "taper";
/// The version that is written: 2 since steps are counted on the device, in tensors. Version 1 is read too.
pub(crate) const VERSION: u32 = 2;

/// All of a checkpoint that is no tensor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) version: u32,
    /// The configuration, as TOML, which keeps every number to its last bit; empty in files of before there was one.
    #[serde(default)]
    pub(crate) settings: String,
    /// Steps of the run, and of an epoch.
    pub(crate) steps: [u64; 2],
    pub(crate) progress: Progress,
    /// How often each parameter was changed, in version 1; empty since, when the optimiser's tensors tell it.
    #[serde(default)]
    pub(crate) counts: Vec<(String, u64)>,
    /// What each group's schedule remembers.
    pub(crate) schedules: Vec<Vec<f64>>,
    /// What is known of the layers' gradients.
    pub(crate) monitor: Monitor,
    /// What each hook remembers.
    pub(crate) hooks: Vec<Value>,
    /// The length of each file that grows with the run.
    pub(crate) lengths: BTreeMap<String, u64>,
}

/// A checkpoint as it is in memory.
pub(crate) struct Checkpoint {
    pub(crate) record: Record,
    pub(crate) model: Vec<(String, Tensor)>,
    pub(crate) optimizer: Vec<(String, Tensor)>,
    pub(crate) ema: Vec<(String, Tensor)>,
}

impl Record {
    /// The configuration, if it is there.
    pub(crate) fn config(&self) -> Result<Option<Config>, String> {
        let read = || toml::from_str(&self.settings).map_err(|e| format!("its configuration is damaged: {e}"));
        (!self.settings.is_empty()).then(read).transpose()
    }

    /// Errs when these are no numbers of a run: a file may be damaged, or made by hand.
    fn check(&self) -> Result<(), String> {
        let [steps, per_epoch] = self.steps;
        self.progress.check(steps, per_epoch)?;
        let made = self.progress.step;
        // A parameter is changed in a step once.
        match self.counts.iter().find(|(_, count)| *count > made) {
            Some((name, count)) => Err(format!("it counts {count} steps for {}, and {made} in all", printable(name))),
            None => self.monitor.check(made),
        }
    }
}

/// What a checkpoint tells of its run.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointInfo {
    /// Steps made.
    pub step: u64,
    /// Steps of the run.
    pub steps: u64,
    /// The configuration, if the file holds it.
    pub config: Option<Config>,
    /// The names and shapes of the weights.
    pub weights: Vec<(String, Vec<usize>)>,
}

/// Reads the checkpoint in the file `path`, whole, as resuming from it does; its tensors are put on `device` and
/// dropped.
///
/// # Errors
/// What is wrong with it.
pub fn read_checkpoint(path: impl AsRef<Path>, device: &Device) -> Result<CheckpointInfo> {
    let path = path.as_ref();
    let Checkpoint { record, model, .. } = Checkpoint::read(path, device)?;
    let config = record.config().map_err(|detail| broken(path, &detail))?;
    let weights = model.into_iter().map(|(name, tensor)| (name, tensor.shape().to_vec())).collect();
    Ok(CheckpointInfo { step: record.progress.step, steps: record.steps[0], config, weights })
}

impl Checkpoint {
    /// Writes it to `path`, replacing what is there: beside first, synced, then renamed.
    pub(crate) fn write(self, path: &Path) -> Result<()> {
        let _span = tracing::info_span!("checkpoint").entered();
        let note = serde_json::to_string(&self.record).map_err(|e| broken(path, &e.to_string()))?;
        let named = |part: &'static str, tensors: Vec<(String, Tensor)>| {
            tensors.into_iter().map(move |(name, tensor)| (format!("{part}.{name}"), tensor))
        };
        let tensors = named("model", self.model)
            .chain(named("optimizer", self.optimizer))
            .chain(named("ema", self.ema))
            .collect::<Vec<_>>();
        Ok(weights::save_noted(&tensors, KEY, &note, path)?)
    }

    /// Reads `path`; its tensors are put on `device`.
    ///
    /// # Errors
    /// No checkpoint, or one of another version.
    pub(crate) fn read(path: &Path, device: &Device) -> Result<Self> {
        let (tensors, note) = weights::read_noted(KEY, path, device).map_err(|error| match error {
            memory @ taper_nn::Error::OutOfMemory { .. } => memory.into(),
            other => broken(path, &other.to_string()),
        })?;
        let note = note.ok_or_else(|| broken(path, "it is no checkpoint"))?;
        let record: Record = serde_json::from_str(&note).map_err(|e| broken(path, &e.to_string()))?;
        if !(1..=VERSION).contains(&record.version) {
            let detail = format!("it is of version {}, this program reads 1 to {VERSION}", record.version);
            return Err(broken(path, &detail));
        }
        record.check().map_err(|detail| broken(path, &detail))?;
        let mut checkpoint = Self { record, model: Vec::new(), optimizer: Vec::new(), ema: Vec::new() };
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

    /// Errs when the optimiser or the average counts more steps than were made: a parameter is changed in a step once.
    fn check_counts(&self) -> Result<(), String> {
        let made = self.record.progress.step;
        for (name, tensor) in self.optimizer.iter().chain(&self.ema).filter(|(_, t)| t.dtype() == DType::I64) {
            let counts = tensor.to_vec::<i64>().map_err(|error| error.to_string())?;
            if let Some(count) = counts.iter().find(|count| !u64::try_from(**count).is_ok_and(|count| count <= made)) {
                return Err(format!("it counts {count} steps for {}, and {made} in all", printable(name)));
            }
        }
        Ok(())
    }

    /// Puts the weights into `params`, all of which it must have.
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

/// Every tensor of `params` with its name.
pub(crate) fn named(params: &[Param]) -> Vec<(String, Tensor)> {
    params.iter().map(|param| (param.name().to_owned(), param.tensor().detach())).collect()
}
