//! The record of a run: what it ran on, beside its configuration.

use crate::timestamp;
use serde::{Deserialize, Serialize};
use std::time::SystemTime;
use taper_data::{Located, Origin, Splits};

/// The origin of generated data.
const STAND_IN: &str = "stand-in";

/// What a run ran on: the table `record` of its `config.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The experiment's name.
    pub experiment: String,
    /// The version of this crate.
    pub taper: String,
    /// The commit of the source, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The time at which the run started, in UTC.
    pub started: String,
    /// The number of trainable parameters.
    pub parameters: usize,
    /// The dataset.
    pub dataset: DatasetRecord,
}

/// The dataset of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetRecord {
    /// A description of the data: `CIFAR-10`, or `generated stand-in, not CIFAR-10`.
    pub description: String,
    /// Where the data came from: `data-dir`, `env`, `downloads`, `network`, `embedded`, `stand-in`.
    pub origin: String,
    /// The folder of the data, if they were in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The SHA-256 of the training and test splits as they were used.
    pub checksum: String,
    /// The number of training samples.
    pub train: usize,
    /// The number of validation samples, held out of the training split.
    #[serde(default)]
    pub validation: usize,
    /// The number of test samples.
    pub test: usize,
}

impl Record {
    pub(crate) fn new(experiment: &str, commit: Option<String>, parameters: usize, dataset: DatasetRecord) -> Self {
        Self {
            experiment: experiment.into(),
            taper: env!("CARGO_PKG_VERSION").into(),
            commit,
            started: timestamp::iso(SystemTime::now()),
            parameters,
            dataset,
        }
    }
}

impl DatasetRecord {
    /// Whether the data are a generated stand-in, and not the dataset itself.
    pub fn is_stand_in(&self) -> bool {
        self.origin == STAND_IN
    }

    pub(crate) fn new(located: &Located, splits: &Splits) -> Self {
        let origin = match located.origin() {
            Origin::DataDir => "data-dir",
            Origin::Env => "env",
            Origin::Downloads => "downloads",
            Origin::Network => "network",
            Origin::Embedded => "embedded",
            Origin::StandIn => STAND_IN,
        };
        Self {
            description: located.description(),
            origin: origin.into(),
            path: located.path().map(|path| path.display().to_string()),
            checksum: splits.checksum(),
            train: splits.train.len(),
            validation: 0,
            test: splits.test.len(),
        }
    }
}
