//! The record of a run: what it ran on, beside its configuration.

use crate::{Better, Metric, Task, timestamp};
use serde::{Deserialize, Serialize};
use std::time::SystemTime;

/// The origin of generated data.
pub const STAND_IN: &str = "stand-in";

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
    /// The command that began the run, as it was typed, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The time at which the run started, in UTC.
    pub started: String,
    /// The number of trainable parameters.
    pub parameters: usize,
    /// The metric that selects the best epoch, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<String>,
    /// The dataset.
    pub dataset: DatasetRecord,
    /// The metrics of the task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<MetricRecord>,
}

/// A metric of a run's task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricRecord {
    /// The name: `accuracy`.
    pub name: String,
    /// The unit: `%`.
    pub unit: String,
    /// Whether higher values are better.
    pub higher: bool,
}

impl From<&Metric> for MetricRecord {
    fn from(metric: &Metric) -> Self {
        let higher = metric.better == Better::Higher;
        Self { name: metric.name.to_string(), unit: metric.unit.to_string(), higher }
    }
}

/// The dataset of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetRecord {
    /// A description of the data: `CIFAR-10`, or `generated stand-in, not CIFAR-10`.
    pub description: String,
    /// Where the data came from: `data-dir`, `env`, `downloads`, `network`, `embedded`, `stand-in`.
    pub origin: String,
    /// The folder of the data, if they were in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Whom the data are by, and the terms of their use, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub citation: Option<String>,
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
    /// The record of a run that begins now.
    pub fn new(
        experiment: &str,
        commit: Option<String>,
        parameters: usize,
        task: &dyn Task,
        monitor: &str,
        dataset: DatasetRecord,
    ) -> Self {
        Self {
            experiment: experiment.into(),
            taper: env!("CARGO_PKG_VERSION").into(),
            commit,
            command: None,
            started: timestamp::iso(SystemTime::now()),
            parameters,
            monitor: Some(if monitor.is_empty() { task.monitor() } else { monitor }.into()),
            dataset,
            metrics: task.metrics().iter().map(MetricRecord::from).collect(),
        }
    }
}

impl DatasetRecord {
    /// Whether the data are a generated stand-in, and not the dataset itself.
    pub fn is_stand_in(&self) -> bool {
        self.origin == STAND_IN
    }
}
