//! `[checkpoint]`: when checkpoints are saved, and which epoch is the best. `[log]`: which outputs are written beside
//! `metrics.jsonl`.

use super::{is_ordinary, within};
use crate::Result;
use serde::{Deserialize, Serialize};

/// `[checkpoint]`: when checkpoints are saved, and which epoch is the best.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointConfig {
    /// Save a checkpoint every so many steps, as well as at the end of each epoch; 0 for no more.
    pub every_steps: u64,
    /// Save a checkpoint every so many minutes, as well as the others; 0 for no more.
    pub every_minutes: f64,
    /// The validation metric that selects the best epoch.
    pub monitor: Monitored,
}

/// The validation metric that selects the best epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Monitored {
    /// The highest accuracy.
    Accuracy,
    /// The lowest loss.
    Loss,
}

/// `[log]`: which outputs are written beside `metrics.jsonl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Whether TensorBoard's event file is written.
    pub tensorboard: bool,
    /// Whether `report.html` is written at the end of the run.
    pub report: bool,
    /// Whether the gradient norm of each layer is monitored.
    pub gradients: bool,
}

impl Default for CheckpointConfig {
    /// A checkpoint at the end of each epoch only; the best epoch is that of the highest accuracy.
    fn default() -> Self {
        Self { every_steps: 0, every_minutes: 0.0, monitor: Monitored::Accuracy }
    }
}

impl Default for LogConfig {
    /// Every output is on.
    fn default() -> Self {
        Self { tensorboard: true, report: true, gradients: true }
    }
}

impl CheckpointConfig {
    pub(super) fn check(&self) -> Result<()> {
        let minutes = self.every_minutes;
        within("checkpoint.every_minutes", minutes, minutes == 0.0 || (minutes > 0.0 && is_ordinary(minutes)))
    }
}
