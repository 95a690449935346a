//! A saved run's folder as whatever puts it to work reads it: its configuration, its spec, its weights.

use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::Path;
use taper_nn::{Device, Params, RandomKey, weights};
use taper_train::{Config, Error, Evaluation, Result, RunFolder};

/// A saved run that was found to be of the right task. What a use needs besides it is in `spec.json`.
pub struct Saved {
    folder: RunFolder,
    /// The run's configuration.
    pub config: Config,
    spec: Value,
}

impl Saved {
    /// Opens the run in the folder `path`, whose task must be among `tasks`: the value of `task` in its `spec.json`.
    ///
    /// # Errors
    /// A folder that holds no run or lacks a file, one of a version before `spec.json` was written, and a run of another
    /// task.
    pub fn open(path: impl AsRef<Path>, tasks: &[&str]) -> Result<Self> {
        let folder = RunFolder::open(path.as_ref())?;
        let (config, _) = folder.read_config()?;
        let spec = folder.read_spec()?;
        let saved = Self { folder, config, spec };
        match saved.spec["task"].as_str() {
            Some(task) if !tasks.contains(&task) => {
                let due = tasks.join(" or ");
                Err(saved.wrong(format!("this run's task is {task}, expected a run of {due}")))
            }
            _ => Ok(saved),
        }
    }

    /// `spec.json` as the type that the use knows it by.
    ///
    /// # Errors
    /// A file that is damaged or of another version.
    pub fn spec<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_value(self.spec.clone())
            .map_err(|e| self.wrong(format!("spec.json is damaged, or of another version: {e}")))
    }

    /// An empty collection of parameters on `device`, in the dtype that the run was trained in, to build the model with.
    ///
    /// # Errors
    /// A dtype that is none.
    pub fn params(&self, device: &Device) -> Result<Params> {
        Ok(Params::new(device, self.config.dtype()?, RandomKey::new(0)))
    }

    /// Loads the run's weights, `model.safetensors`, into the model that was built with `params`.
    ///
    /// # Errors
    /// A missing file, and weights that do not fit the model.
    pub fn weights(&self, params: &Params) -> Result<()> {
        if !self.folder.model().is_file() {
            let detail = "no model.safetensors here: the run has not saved its weights yet, or the file was removed";
            return Err(self.wrong(detail.into()));
        }
        weights::load_cast(&params.all(), self.folder.model())?;
        Ok(())
    }

    /// What the run's test split gave; `None` for a run that is not finished.
    ///
    /// # Errors
    /// A `result.json` that is damaged.
    pub fn test(&self) -> Result<Option<Evaluation>> {
        Ok(self.folder.outcome()?.and_then(|outcome| outcome.test))
    }

    /// The cosine of the best accuracy on the pairs of the test; `None` for a run that is not finished, or not of pairs.
    ///
    /// # Errors
    /// As [`test`](Self::test).
    pub(crate) fn threshold(&self) -> Result<Option<f64>> {
        let found = self.test()?.and_then(|found| found.get("threshold"));
        Ok(found.filter(|threshold| threshold.is_finite()))
    }

    fn wrong(&self, detail: String) -> Error {
        Error::RunFolder { path: self.folder.path().to_path_buf(), detail }
    }
}
