#![doc = include_str!("../README.md")]

mod config;
mod error;
mod evaluate;
mod experiments;
mod fit;
mod folder;
mod jsonl;
pub mod html;
mod kept;
pub mod metrics;
mod nearest;
pub mod plot;
mod record;
mod report;
mod run;
pub mod runs;
mod scalars;
pub mod tensorboard;
mod timestamp;
mod views;
pub mod tune;

pub use config::{Config, DataConfig, DeviceConfig, KEYS, Key, OptimizerConfig, Override, TrainConfig};
pub use error::{Error, Result};
pub use evaluate::{Evaluation, evaluate};
pub use experiments::{Experiment, experiment, experiments};
pub use fit::{Fit, Outcome};
pub use folder::RunFolder;
pub use jsonl::Metrics;
pub use nearest::nearest;
pub use record::{DatasetRecord, Record};
pub use report::{EpochReport, Reporter, Silent, Start, StepReport};
pub use run::{EvalOptions, TrainOptions, evaluate_run, train};
pub use views::{Views, logits};
