//! The configuration of a run: its tables, one file each.

mod data;
mod device;
mod init;
mod keep;
pub(crate) mod moved;
mod optimizer;
mod overrides;
mod schedule;
mod train;

pub use data::DataConfig;
pub use device::DeviceConfig;
pub use init::InitConfig;
pub use keep::{CheckpointConfig, LogConfig};
pub use optimizer::{GroupConfig, OptimizerConfig};
pub use schedule::ScheduleConfig;
pub use taper_config::{Family, Key, Named, Override};
pub use train::{RegularizationConfig, TrainConfig};

use crate::Result;
use overrides::change_in;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use taper_config::{Error, Rest, Table as _, table};
use taper_nn::DType;
use toml::Table;

/// Everything that decides what a run computes. Each field is a table (or a key) of `config.toml`; [`Config::keys`] lists
/// all keys. `model`, `task`, `optimizer`, `schedule` and `data` name something, and hold the keys of what they name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub struct Config {
    /// The model, with its keys.
    pub model: Named,
    /// The task, with its keys. Without a name it is the experiment's own.
    pub task: Named,
    /// Parameter groups: weights with optimiser settings of their own, or frozen.
    pub groups: Vec<GroupConfig>,
    /// The dataset, its splits, augmentation and loading.
    pub data: DataConfig,
    /// The training loop: epochs, batches, seed, dtype.
    pub train: TrainConfig,
    /// Initial weights from a file.
    pub init: InitConfig,
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

impl Serialize for Config {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Config {
    /// Reads a whole configuration; a missing key has its default. Keys may have the names that they had earlier.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut all = Table::deserialize(deserializer)?;
        moved::update(&mut all);
        Self::deserialize(all).map_err(serde::de::Error::custom)
    }
}

impl Default for Config {
    /// One epoch of Adam at a constant rate on every core, without augmentation, validation or regularisation.
    fn default() -> Self {
        Self {
            model: "mlp".into(),
            task: Named::default(),
            groups: Vec::new(),
            data: DataConfig::default(),
            train: TrainConfig::default(),
            init: InitConfig::default(),
            regularization: RegularizationConfig::default(),
            optimizer: OptimizerConfig::default(),
            schedule: ScheduleConfig::default(),
            checkpoint: CheckpointConfig::default(),
            log: LogConfig::default(),
            device: DeviceConfig::default(),
        }
    }
}

table! {
    /// The keys that are in no table.
    struct Top {
        /// Parameter groups with optimiser settings of their own, or frozen.
        groups: Vec<GroupConfig> = Vec::new(), tables(
            "a list such as [{pattern = \"*.bias\", optimizer = {weight_decay = 0}}]",
            GroupConfig::sound,
        );
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

    /// Errs when a value is out of range; the error names the key and the range. The names of devices are checked where
    /// they are used, and so are the tables of the model, the task and the dataset: see [`Config::resolved`].
    pub fn check(&self) -> Result<()> {
        self.data.check("data")?;
        self.train.check("train")?;
        self.init.check("init")?;
        self.regularization.check("regularization")?;
        optimizer::family().check(&self.optimizer)?;
        self.top().check("")?;
        schedule::family().check(&self.schedule)?;
        self.checkpoint.check("checkpoint")?;
        self.log.check("log")?;
        Ok(self.device.check("device")?)
    }

    /// This configuration with all values of the tables that name something, and of groups what differs from
    /// `[optimizer]`. `families` are what `model`, `task` and `data` may name; of one that is missing the keys stay as
    /// they are, except that `data` then has none beside its own.
    ///
    /// # Errors
    /// An unknown name, a key that what is named does not have, a value out of range.
    pub fn resolved(&self, families: &[Family]) -> Result<Self> {
        let mut all = self.clone();
        all.optimizer = self.optimizer.resolved()?;
        all.schedule = self.schedule.resolved()?;
        let groups = self.groups.iter().map(|group| group.beside(&self.optimizer, &all.optimizer));
        all.groups = groups.collect::<Result<_>>()?;
        for family in families {
            match family.table {
                "model" => all.model = family.resolve(&self.model)?,
                "task" => all.task = family.resolve(&self.task)?,
                "data" => {
                    self.check_source(families)?;
                    all.data.source = Rest::known(family.resolve(&self.data.named())?.rest);
                }
                other => {
                    let detail = format!("the things that `[{other}]` names cannot be given: it is none of theirs");
                    return Err(Error::Usage(detail).into());
                }
            }
        }
        if !families.iter().any(|family| family.table == "data") {
            self.check_source(families)?;
        }
        Ok(all)
    }

    /// Errs when `[data]` has a key that is neither its own nor of a dataset in `families`.
    pub(crate) fn check_source(&self, families: &[Family]) -> Result<()> {
        let keys = self.keys(families);
        let unknown = |key: &&String| !keys.iter().any(|known| known.name.strip_prefix("data.") == Some(key.as_str()));
        match self.data.source.iter().find(|(key, _)| unknown(key)) {
            None => Ok(()),
            Some((key, value)) => Err(overrides::unknown_key(&keys, &format!("data.{key}"), value).into()),
        }
    }

    /// Every key, in the order of the tables. `families` are what `model`, `task` and `data` may name: all their keys
    /// are listed, with the defaults of the one that this configuration names. Of a family that is missing only the
    /// name is.
    pub fn keys(&self, families: &[Family]) -> Vec<Key> {
        let named = |table: &'static str, range: &str, named: &Named| -> Vec<Key> {
            if let Some(family) = families.iter().find(|family| family.table == table) {
                return family.keys(named);
            }
            let mut name = Key::named("name", range, &format!("The {table}")).within(table);
            name.default = Some(named.name.as_str().into());
            vec![name]
        };
        let within = |table: &'static str, keys: Vec<Key>| keys.into_iter().map(|key| key.within(table)).collect();
        let source = named("data", "the name of a dataset", &self.data.named());
        let tables: [Vec<Key>; 13] = [
            named("model", "the name of a model", &self.model),
            named("task", "the name of a task, or empty", &self.task),
            within("data", DataConfig::keys()),
            source.into_iter().filter(|key| key.name != "data.name").collect(),
            within("train", TrainConfig::keys()),
            within("init", InitConfig::keys()),
            within("regularization", RegularizationConfig::keys()),
            optimizer::family().keys(&self.optimizer),
            Top::keys(),
            schedule::family().keys(&self.schedule),
            within("checkpoint", CheckpointConfig::keys()),
            within("log", LogConfig::keys()),
            within("device", DeviceConfig::keys()),
        ];
        tables.into_iter().flatten().collect()
    }

    /// The keys that are in no table.
    fn top(&self) -> Top {
        Top { groups: self.groups.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(epochs: f64, lr: Option<f64>) -> GroupConfig {
        let optimizer = lr.map_or_else(OptimizerConfig::default, |lr| OptimizerConfig::default().with("lr", lr));
        GroupConfig { pattern: "*.bias".into(), epochs, optimizer, ..GroupConfig::default() }
    }

    #[test]
    fn every_value_out_of_range_is_told_with_its_range() {
        type Change = fn(&mut Config);
        let good = Config::default();
        let broken: &[(Change, &str)] = &[
            (
                |c| c.regularization.clip_norm = 1e-308,
                "regularization.clip_norm: expected 0 or a number from 1e-37 to 1e37, found 1e-308",
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
            (|c| c.optimizer.set("lr", 0.0), "optimizer.lr: expected a number from 1e-37 to 1e37, found 0"),
            (|c| c.optimizer.set("lr", f64::NAN), "optimizer.lr: expected a number from 1e-37 to 1e37, found NaN"),
            (
                |c| c.optimizer.set("betas", vec![0.9, 1.0]),
                "optimizer.betas: expected two numbers, 0 or more and below 1, found 1",
            ),
            (|c| c.optimizer.set("eps", -1.0), "optimizer.eps: expected 0 or a number from 1e-37 to 1e37, found -1"),
            (
                |c| c.optimizer.set("weight_decay", f64::INFINITY),
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

    #[test]
    fn an_optimiser_that_says_all_is_the_same() {
        let config = Config { groups: vec![group(0.0, Some(0.5))], ..Config::default() };
        let all = config.resolved(&[]).unwrap();
        assert_eq!(all.groups, config.groups);
        assert_eq!(all.optimizer.rest["lr"], toml::Value::from(1e-3));
        assert_eq!(all.resolved(&[]).unwrap(), all);
    }
}
