//! `[checkpoint]`: when checkpoints are saved, and which epoch is the best. `[log]`: which outputs are written beside
//! `metrics.jsonl`.

use taper_config::table;

table! {
    /// `[checkpoint]`: when checkpoints are saved, and which epoch is the best.
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
        ///
        /// Empty for the task's own choice.
        monitor: String = String::new(), any("the name of a metric, or empty");
    }
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
