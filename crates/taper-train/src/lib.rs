#![doc = include_str!("../README.md")]

mod checkpoint;
mod claim;
mod config;
mod error;
mod evaluate;
mod experiments;
mod finish;
mod fit;
mod folder;
mod histograms;
pub mod hook;
mod jsonl;
mod kept;
mod learner;
mod logs;
pub mod lr_finder;
pub mod metrics;
mod monitor;
mod optimize;
mod record;
mod report;
mod resumed;
mod run;
pub mod runs;
mod scalars;
mod shell;
mod timestamp;
pub mod tune;
mod views;

pub use checkpoint::{CheckpointInfo, read_checkpoint};
pub use config::{
    CheckpointConfig, Config, DataConfig, DeviceConfig, GroupConfig, Key, LogConfig, Monitored, OptimizerConfig,
    Override, Reduction, RegularizationConfig, ScheduleConfig, TrainConfig,
};
pub use error::{Error, Result};
pub use evaluate::{EvaluateOptions, Evaluation, IGNORED_LABEL, Predictions, evaluate};
pub use experiments::{Experiment, Recipe, experiment, experiments};
pub use fit::{Fit, Outcome, Times};
pub use folder::RunFolder;
pub use hook::{Flow, Hook, RunView, StepView};
pub use jsonl::Metrics;
pub use learner::Objective;
pub use record::{DatasetRecord, Record};
pub use report::{EpochReport, Reporter, Silent, Split, Start, StepReport};
pub use run::{EvalOptions, TrainOptions, evaluate_run, find_lr, train};
pub use shell::shell_quoted;
pub use taper_config::nearest;
pub use views::{Views, logits};
