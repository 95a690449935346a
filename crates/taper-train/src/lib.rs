#![doc = include_str!("../README.md")]

mod checkpoint;
mod claim;
mod config;
mod device_batch;
mod error;
mod evaluate;
mod experiment;
mod fit;
mod folder;
mod histograms;
pub mod hook;
mod initial;
mod jsonl;
mod kept;
mod learner;
mod logs;
pub mod lr_finder;
mod monitor;
mod optimize;
mod page;
mod record;
mod report;
mod result;
mod resumed;
mod run;
pub mod runs;
mod scalars;
mod shell;
mod task;
mod timestamp;
pub mod tune;

pub use checkpoint::{CheckpointInfo, read_checkpoint};
pub use config::{
    CheckpointConfig, Config, DataConfig, DeviceConfig, Family, GroupConfig, InitConfig, Key, LogConfig, Named,
    OptimizerConfig, Override, RegularizationConfig, ScheduleConfig, TrainConfig,
};
pub use device_batch::DeviceBatch;
pub use error::{Error, Result};
pub use evaluate::{EvaluateOptions, Evaluation, Rows, evaluate};
pub use experiment::{Argument, Experiment, Form, Prepared, Recipe};
pub use fit::{Fit, Outcome, Times};
pub use folder::RunFolder;
pub use hook::{Flow, Hook, RunView, StepView};
pub use jsonl::Metrics;
pub use record::{DatasetRecord, MetricRecord, Record, STAND_IN};
pub use report::{EpochReport, Reporter, Silent, Split, Start, StepReport};
pub use run::{EvalOptions, TrainOptions, evaluate_run, find_lr, train};
pub use shell::shell_quoted;
pub use taper_config::{nearest, unknown};
pub use task::{Better, Count, Finished, Measured, Metric, Sums, Task};
