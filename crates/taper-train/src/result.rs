//! `result.json`: the results of a finished run.

use crate::{EpochReport, Error, Evaluation, Outcome, Result, RunFolder, Times};
use serde::{Deserialize, Serialize};
use taper_nn::taper_tensor::files;

/// The contents of `result.json`: the results of a finished run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TestResult {
    steps: u64,
    last: Option<EpochReport>,
    best: Option<EpochReport>,
    test: Evaluation,
    times: Times,
    warnings: Vec<String>,
}

impl TestResult {
    /// The results in `outcome`, if it has those of a test.
    pub(crate) fn of(outcome: &Outcome) -> Option<Self> {
        let Outcome { steps, last, best, times, warnings, test, .. } = outcome.clone();
        Some(Self { steps, last, best, test: test?, times, warnings })
    }

    /// Reads `result.json` in `folder`; `None` if the run is not finished.
    pub(crate) fn read(folder: &RunFolder) -> Result<Option<Outcome>> {
        let path = folder.result();
        if !path.exists() {
            return Ok(None);
        }
        let text = files::read_to_string(&path).map_err(Error::io("read", &path))?;
        let found: Self = serde_json::from_str(&text).map_err(|e| Error::RunFolder {
            path: folder.path().to_path_buf(),
            detail: format!("result.json is not a run's result: {e}"),
        })?;
        let Self { steps, last, best, test, times, warnings } = found;
        Ok(Some(Outcome { steps, last, best, test: Some(test), times, warnings, ..Outcome::default() }))
    }

    /// Writes `result.json`, the last file that a run writes.
    pub(crate) fn write(&self, folder: &RunFolder) -> Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(|e| Error::Usage(format!("the result: {e}")))?;
        Ok(taper_data::atomic_write(folder.result(), text.as_bytes())?)
    }
}
