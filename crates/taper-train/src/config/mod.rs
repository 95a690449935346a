//! A run's configuration: what it is set to, and the range of each key.

mod overrides;

pub use overrides::Override;

use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use taper_nn::{AdamConfig, DType};

/// Everything that decides what a run computes. A field a table, in `config.toml` as here; each key is in [`KEYS`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The model's name in `taper-models`.
    pub model: String,
    /// What is learned from.
    pub data: DataConfig,
    /// The loop.
    pub train: TrainConfig,
    /// The optimiser, Adam.
    pub optimizer: OptimizerConfig,
    /// Where it is computed.
    pub device: DeviceConfig,
}

/// What is learned from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// The dataset's name in `taper-data`.
    pub name: String,
    /// Only the first so many samples of the training split; 0 for all.
    pub train_samples: usize,
    /// Only the first so many samples of the test split; 0 for all.
    pub test_samples: usize,
}

/// The loop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Passes over the training split.
    pub epochs: u64,
    /// Samples a step.
    pub batch_size: usize,
    /// What first weights, the shuffle and dropout are drawn from.
    pub seed: u64,
    /// Stop after so many steps; 0 for no such limit.
    pub max_steps: u64,
    /// Whether each epoch goes through the data in a new order.
    pub shuffle: bool,
    /// `f32` or `f64`: of weights, inputs and everything between.
    pub dtype: String,
    /// Losses are read from the device, checked and shown every so many steps (and at the end of an epoch), and one is
    /// written to `metrics.jsonl`.
    pub log_every: u64,
    /// Samples at a time when measuring on the test split.
    pub eval_batch_size: usize,
    /// A `.safetensors` file to begin with, or empty.
    pub init: String,
}

/// Adam's parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerConfig {
    /// The learning rate.
    pub lr: f64,
    /// Decays of the first and second moment.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub eps: f64,
    /// L2 penalty.
    pub weight_decay: f64,
}

/// Where it is computed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeviceConfig {
    /// The device's name: `cpu`, `candle`, `cuda:0`.
    pub name: String,
    /// Threads of the CPU backend; 0 for one a core. The result does not depend on it.
    pub threads: usize,
    /// Instruction set of the CPU backend: `avx512`, `avx2`, `portable`; `auto` for the best that the machine has.
    pub isa: String,
    /// How the CPU backend computes convolutions: `direct`, as they are defined; `auto`, by Winograd's algorithm where
    /// it pays.
    pub conv: String,
}

impl Default for TrainConfig {
    /// One epoch of batches of 64, shuffled, in f32, from seed 0, read every ten steps.
    fn default() -> Self {
        Self {
            epochs: 1,
            batch_size: 64,
            seed: 0,
            max_steps: 0,
            shuffle: true,
            dtype: "f32".into(),
            log_every: 10,
            eval_batch_size: 250,
            init: String::new(),
        }
    }
}

impl Default for OptimizerConfig {
    /// PyTorch's.
    fn default() -> Self {
        let AdamConfig { lr, betas, eps, weight_decay, .. } = AdamConfig::default();
        Self { lr, betas, eps, weight_decay }
    }
}

impl Default for DeviceConfig {
    /// Every core of the CPU, and whatever is fastest there.
    fn default() -> Self {
        Self { name: "cpu".into(), threads: 0, isa: "auto".into(), conv: "auto".into() }
    }
}

/// A key of the configuration, for messages and for `--set`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The dotted name.
    pub name: &'static str,
    /// What a value must be, as in "expected …".
    pub range: &'static str,
    /// What it means.
    pub help: &'static str,
}

const fn key(name: &'static str, range: &'static str, help: &'static str) -> Key {
    Key { name, range, help }
}

/// Every key of [`Config`].
pub const KEYS: &[Key] = &[
    key("model", "the name of a model", "The model"),
    key("data.name", "the name of a dataset", "The dataset"),
    key("data.train_samples", "an integer, 0 or more", "Learn from only the first so many samples; 0 for all"),
    key("data.test_samples", "an integer, 0 or more", "Measure on only the first so many samples; 0 for all"),
    key("train.epochs", "an integer, 1 or more", "Passes over the training data"),
    key("train.batch_size", "an integer, 1 or more", "Pictures a step"),
    key("train.seed", "an integer from 0 to 2^63 - 1", "Seed of the first weights, the shuffle and dropout"),
    key("train.max_steps", "an integer, 0 or more", "Stop after so many steps; 0 for no such limit"),
    key("train.shuffle", "true or false", "Go through the data in a new order each epoch"),
    key("train.dtype", "f32 or f64", "Number format of weights, inputs and everything between"),
    key("train.log_every", "an integer, 1 or more", "Read and show the losses, and write one, every so many steps"),
    key("train.eval_batch_size", "an integer, 1 or more", "Pictures at a time when measuring"),
    key("train.init", "a path, or empty", "A .safetensors file to start from"),
    key("optimizer.lr", "a finite number above 0", "Adam's learning rate"),
    key("optimizer.betas", "two numbers, 0 or more and below 1", "Adam's decays of the first and second moment"),
    key("optimizer.eps", "a finite number, 0 or more", "Added to the root of Adam's second moment"),
    key("optimizer.weight_decay", "a finite number, 0 or more", "L2 penalty"),
    key("device.name", "the name of a device", "Where to compute: cpu, candle, cuda, cuda:N"),
    key("device.threads", "an integer from 0 to 1024", "CPU threads; 0 for one a core; results do not depend on it"),
    key("device.isa", "auto, avx512, avx2 or portable", "CPU instruction set; auto for the best of this machine"),
    key("device.conv", "auto or direct", "CPU convolutions: as defined, or by Winograd's algorithm where it pays"),
];

impl Config {
    /// The dtype that `train.dtype` names.
    pub fn dtype(&self) -> Result<DType> {
        match self.train.dtype.as_str() {
            "f32" => Ok(DType::F32),
            "f64" => Ok(DType::F64),
            other => Err(out_of_range("train.dtype", other)),
        }
    }

    /// The optimiser's configuration.
    pub fn adam(&self) -> AdamConfig {
        let OptimizerConfig { lr, betas, eps, weight_decay } = self.optimizer;
        AdamConfig { lr, betas, eps, weight_decay, ..AdamConfig::default() }
    }

    /// Errs when a value is out of range, saying which and the range. Names of models, datasets and devices are looked
    /// up where they are used.
    pub fn check(&self) -> Result<()> {
        let Self { train, optimizer, device, .. } = self;
        self.dtype()?;
        at_least_one("train.epochs", train.epochs)?;
        at_least_one("train.batch_size", train.batch_size as u64)?;
        at_least_one("train.log_every", train.log_every)?;
        at_least_one("train.eval_batch_size", train.eval_batch_size as u64)?;
        within("train.seed", train.seed, i64::try_from(train.seed).is_ok())?;
        within("optimizer.lr", optimizer.lr, optimizer.lr > 0.0 && optimizer.lr.is_finite())?;
        for beta in optimizer.betas {
            within("optimizer.betas", beta, (0.0..1.0).contains(&beta))?;
        }
        within("optimizer.eps", optimizer.eps, optimizer.eps >= 0.0 && optimizer.eps.is_finite())?;
        let decay = optimizer.weight_decay;
        within("optimizer.weight_decay", decay, decay >= 0.0 && decay.is_finite())?;
        within("device.threads", device.threads, device.threads <= 1024)?;
        within("device.isa", &device.isa, ["auto", "avx512", "avx2", "portable"].contains(&&*device.isa))?;
        within("device.conv", &device.conv, ["auto", "direct"].contains(&&*device.conv))
    }
}

fn at_least_one(name: &str, value: u64) -> Result<()> {
    within(name, value, value >= 1)
}

fn within(name: &str, value: impl Display, holds: bool) -> Result<()> {
    if holds { Ok(()) } else { Err(out_of_range(name, value)) }
}

/// `NAME: expected RANGE, found VALUE`.
fn out_of_range(name: &str, value: impl Display) -> Error {
    let range = KEYS.iter().find(|key| key.name == name).map_or("another value", |key| key.range);
    Error::Usage(format!("{name}: expected {range}, found {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiments;

    #[test]
    fn the_experiments_defaults_are_in_range() {
        for experiment in experiments() {
            experiment.config().check().unwrap();
        }
    }

    #[test]
    fn every_value_out_of_range_is_told_with_its_range() {
        type Change = fn(&mut Config);
        let good = experiments()[0].config();
        let broken: &[(Change, &str)] = &[
            (|c| c.train.epochs = 0, "train.epochs: expected an integer, 1 or more, found 0"),
            (|c| c.train.batch_size = 0, "train.batch_size: expected an integer, 1 or more, found 0"),
            (|c| c.train.log_every = 0, "train.log_every: expected an integer, 1 or more, found 0"),
            (|c| c.train.eval_batch_size = 0, "train.eval_batch_size: expected an integer, 1 or more, found 0"),
            (
                |c| c.train.seed = 1 << 63,
                "train.seed: expected an integer from 0 to 2^63 - 1, found 9223372036854775808",
            ),
            (|c| c.train.dtype = "f8".into(), "train.dtype: expected f32 or f64, found f8"),
            (|c| c.optimizer.lr = 0.0, "optimizer.lr: expected a finite number above 0, found 0"),
            (|c| c.optimizer.lr = f64::NAN, "optimizer.lr: expected a finite number above 0, found NaN"),
            (|c| c.optimizer.betas[1] = 1.0, "optimizer.betas: expected two numbers, 0 or more and below 1, found 1"),
            (|c| c.optimizer.eps = -1.0, "optimizer.eps: expected a finite number, 0 or more, found -1"),
            (
                |c| c.optimizer.weight_decay = f64::INFINITY,
                "optimizer.weight_decay: expected a finite number, 0 or more, found inf",
            ),
            (|c| c.device.threads = 2000, "device.threads: expected an integer from 0 to 1024, found 2000"),
            (|c| c.device.isa = "sse".into(), "device.isa: expected auto, avx512, avx2 or portable, found sse"),
            (|c| c.device.conv = "Direct".into(), "device.conv: expected auto or direct, found Direct"),
        ];
        for (change, text) in broken {
            let mut config = good.clone();
            change(&mut config);
            let error = config.check().unwrap_err();
            assert!(error.is_usage());
            assert_eq!(error.to_string(), *text);
        }
    }
}
