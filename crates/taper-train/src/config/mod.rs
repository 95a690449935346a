//! The configuration of a run: its tables, one file each, and the range of each key.

mod data;
mod device;
mod keep;
mod optimizer;
mod overrides;
mod schedule;
mod train;

pub use data::DataConfig;
pub use device::DeviceConfig;
pub use keep::{CheckpointConfig, LogConfig};
pub use optimizer::{GroupConfig, OptimizerConfig};
pub use schedule::ScheduleConfig;
pub use taper_config::{Key, Override};
pub use train::{Reduction, RegularizationConfig, TrainConfig, Views};

use crate::Result;
use serde::{Deserialize, Serialize};
use taper_config::{Error, Table as _, table};
use taper_nn::DType;

/// Everything that decides what a run computes. Each field is a table (or a key) of `config.toml`; [`Config::keys`] lists
/// all keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The model's name in `taper-models`.
    pub model: String,
    /// Parameter groups: weights with optimiser settings of their own, or frozen.
    pub groups: Vec<GroupConfig>,
    /// The dataset, its splits, augmentation and loading.
    pub data: DataConfig,
    /// The training loop: epochs, batches, seed, dtype.
    pub train: TrainConfig,
    /// Regularisation against overfitting.
    pub regularization: RegularizationConfig,
    /// The optimiser and its settings.
    pub optimizer: OptimizerConfig,
    /// The learning-rate schedule.
    pub schedule: ScheduleConfig,
    /// When checkpoints are saved, and which epoch is the best.
    pub checkpoint: CheckpointConfig,
    /// Which outputs are written beside `metrics.jsonl`.
    pub log: LogConfig,
    /// The device that the run computes on.
    pub device: DeviceConfig,
}

impl Default for Config {
    /// One epoch of Adam at a constant rate on every core, without augmentation, validation or regularisation.
    fn default() -> Self {
        Self {
            model: "mlp".into(),
            groups: Vec::new(),
            data: DataConfig::default(),
            train: TrainConfig::default(),
            regularization: RegularizationConfig::default(),
            optimizer: OptimizerConfig::default(),
            schedule: ScheduleConfig::default(),
            checkpoint: CheckpointConfig::default(),
            log: LogConfig::default(),
            device: DeviceConfig::default(),
        }
    }
}

impl Config {
    /// The dtype that `train.dtype` names.
    pub fn dtype(&self) -> Result<DType> {
        match self.train.dtype.as_str() {
            "f32" => Ok(DType::F32),
            "f64" => Ok(DType::F64),
            other => Err(Error::out_of_range("train.dtype", "f32 or f64", other).into()),
        }
    }

    /// Errs when a value is out of range; the error names the key and the range. The names of models, datasets and
    /// devices are checked where they are used.
    pub fn check(&self) -> Result<()> {
        self.data.check("data")?;
        self.train.check("train")?;
        self.regularization.check("regularization")?;
        self.optimizer.check("optimizer")?;
        self.top().check("")?;
        self.schedule.check("schedule")?;
        self.checkpoint.check("checkpoint")?;
        self.log.check("log")?;
        Ok(self.device.check("device")?)
    }

    /// Every key, with its default, in the order of the tables.
    pub fn keys() -> Vec<Key> {
        let [model, groups] =
            ["model", "groups"].map(|name| Top::keys().into_iter().filter(move |key| key.name == name));
        let within = |table: &'static str, keys: Vec<Key>| keys.into_iter().map(move |key| key.within(table));
        let first = model.chain(within("data", DataConfig::keys())).chain(within("train", TrainConfig::keys()));
        let second = within("regularization", RegularizationConfig::keys());
        let second = second.chain(within("optimizer", OptimizerConfig::keys())).chain(groups);
        let third = within("schedule", ScheduleConfig::keys()).chain(within("checkpoint", CheckpointConfig::keys()));
        let third = third.chain(within("log", LogConfig::keys())).chain(within("device", DeviceConfig::keys()));
        first.chain(second).chain(third).collect()
    }

    /// The keys that are in no table.
    fn top(&self) -> Top {
        Top { model: self.model.clone(), groups: self.groups.clone() }
    }
}

table! {
    /// The keys that are in no table.
    struct Top {
        /// The model.
        model: String = "mlp".into(), any("the name of a model");
        /// Parameter groups with optimiser settings of their own, or frozen.
        groups: Vec<GroupConfig> = Vec::new(), tables(
            "a list such as [{pattern = \"*.bias\", optimizer = {weight_decay = 0}}]",
            GroupConfig::sound,
        );
    }
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

    fn group(epochs: f64, lr: Option<f64>) -> GroupConfig {
        let optimizer = OptimizerConfig { lr, ..OptimizerConfig::default() };
        GroupConfig { pattern: "*.bias".into(), frozen: false, epochs, optimizer }
    }

    #[test]
    fn every_value_out_of_range_is_told_with_its_range() {
        type Change = fn(&mut Config);
        let good = experiments()[0].config();
        let broken: &[(Change, &str)] = &[
            (
                |c| c.regularization.mixup = 1e-308,
                "regularization.mixup: expected 0 or a number from 1e-37 to 1e37, found 1e-308",
            ),
            (|c| c.train.epochs = 0, "train.epochs: expected an integer, 1 or more, found 0"),
            (|c| c.train.batch_size = 0, "train.batch_size: expected an integer, 1 or more, found 0"),
            (|c| c.train.log_every = 0, "train.log_every: expected an integer, 1 or more, found 0"),
            (|c| c.train.eval_batch_size = 0, "train.eval_batch_size: expected an integer, 1 or more, found 0"),
            (
                |c| c.train.seed = 1 << 63,
                "train.seed: expected an integer from 0 to 2^63 - 1, found 9223372036854775808",
            ),
            (|c| c.train.dtype = "f8".into(), "train.dtype: expected f32 or f64, found f8"),
            (|c| c.optimizer.lr = Some(0.0), "optimizer.lr: expected a number from 1e-37 to 1e37, found 0"),
            (|c| c.optimizer.lr = Some(f64::NAN), "optimizer.lr: expected a number from 1e-37 to 1e37, found NaN"),
            (
                |c| c.optimizer.betas = Some([0.9, 1.0]),
                "optimizer.betas: expected two numbers, 0 or more and below 1, found 1",
            ),
            (|c| c.optimizer.eps = Some(-1.0), "optimizer.eps: expected 0 or a number from 1e-37 to 1e37, found -1"),
            (
                |c| c.optimizer.weight_decay = Some(f64::INFINITY),
                "optimizer.weight_decay: expected 0 or a number from 1e-37 to 1e37, found inf",
            ),
            (
                |c| c.schedule.name = "cosin".into(),
                "schedule.name: unknown schedule `cosin`; did you mean cosine or cosine-restarts? (known: constant, step, \
                 multi-step, exponential, cosine, cosine-restarts, linear, polynomial, one-cycle, plateau)",
            ),
            (
                |c| c.groups = vec![group(-1.0, None)],
                "groups: \"*.bias\": epochs: expected 0 or a number from 1e-37 to 1e37, found -1",
            ),
            (
                |c| c.groups = vec![group(0.0, Some(-1.0))],
                "groups: \"*.bias\": optimizer.lr: expected a number from 1e-37 to 1e37, found -1",
            ),
            (
                |c| c.checkpoint.every_minutes = f64::NAN,
                "checkpoint.every_minutes: expected 0 or a number from 1e-37 to 1e37, found NaN",
            ),
            (|c| c.data.validation = 1.0, "data.validation: expected a number, 0 or more and below 1, found 1"),
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
