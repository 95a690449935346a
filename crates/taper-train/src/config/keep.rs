//! `[checkpoint]`: what can be gone back to. `[log]`: what can be looked at.

use super::{is_ordinary, within};
use crate::Result;
use serde::{Deserialize, Serialize};

/// What can be gone back to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointConfig {
    /// A checkpoint every so many steps, beside that at the end of each epoch; 0 for none.
    pub every_steps: u64,
    /// A checkpoint every so many minutes, beside these; 0 for none.
    pub every_minutes: f64,
    /// What tells the best epoch, on the validation split.
    pub monitor: Monitored,
}

/// What tells the best epoch, on the validation split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Monitored {
    /// The largest accuracy.
    Accuracy,
    /// The smallest loss.
    Loss,
}

/// What can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Whether TensorBoard's event file is written.
    pub tensorboard: bool,
    /// Whether `report.html` is written at the end.
    pub report: bool,
    /// Whether each layer's gradients are watched.
    pub gradients: bool,
}

impl Default for CheckpointConfig {
    /// At the end of each epoch; the best by accuracy.
    fn default() -> Self {
        Self { every_steps: 0, every_minutes: 0.0, monitor: Monitored::Accuracy }
    }
}

impl Default for LogConfig {
    /// All.
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
