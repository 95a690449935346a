//! `[checkpoint]`: when checkpoints are saved, and which epoch is the best. `[log]`: which outputs are written beside
//! `metrics.jsonl`.

use serde::{Deserialize, Serialize};
use taper_config::table;

table! {
    /// `[checkpoint]`: when checkpoints are saved, and which epoch is the best.
    #[derive(Copy)]
    pub struct CheckpointConfig {
        /// Also save a checkpoint every so many steps.
        ///
        /// 0 for no more than those at the end of each epoch.
        every_steps: u64 = 0, at_least(0);
        /// Also save a checkpoint every so many minutes.
        ///
        /// 0 for no more than those at the end of each epoch.
        every_minutes: f64 = 0.0, ordinary_or_zero();
        /// Validation metric that selects the best epoch.
        monitor: Monitored = Monitored::Accuracy, any("accuracy or loss");
    }
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

table! {
    /// `[log]`: which outputs are written beside `metrics.jsonl`.
    #[derive(Copy, Eq)]
    pub struct LogConfig {
        /// Write TensorBoard's event file.
        tensorboard: bool = true, flag();
        /// Write `report.html` at the end.
        report: bool = true, flag();
        /// Monitor the gradient norm of each layer.
        gradients: bool = true, flag();
    }
}
