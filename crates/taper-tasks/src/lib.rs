#![doc = include_str!("../README.md")]

mod classification;
mod experiments;
pub mod metrics;

pub use classification::{Classification, ClassifyConfig, IGNORED_LABEL, Predictions, logits};
pub use experiments::{experiment, experiments};
