//! The experiment `dbn`: layer-wise pretraining of a deep belief network on pictures of a built-in data set, the handwritten
//! digits by default. An `mlp` with the same hidden layers and a sigmoid may begin from its weights and be fine-tuned.

use super::own::family;
use super::pictures::{load, not_normalized};
use crate::LayerwisePretraining;
use taper_config::{Family, Schema, table};
use taper_data::{LocateOptions, Source};
use taper_models::Dbn;
use taper_nn::{Device, Params, RandomKey};
use taper_train::{
    Config, DataConfig, Error, Experiment, GroupConfig, OptimizerConfig, Prepared, Reporter, Result, ScheduleConfig,
    TrainConfig,
};

pub(super) const EXPERIMENT: &dyn Experiment = &Pretrain;

table! {
    /// `[model]` of the experiment, whose only model is a [`Dbn`].
    pub struct DbnConfig {
        /// Sizes of the hidden layers, from the bottom.
        hidden: Vec<usize> = vec![128, 128, 256], each("a list of integers, 1 or more", |size| *size >= 1);
    }
}

table! {
    /// `[task]` of the experiment.
    pub struct PretrainConfig {
        /// Steps of Gibbs sampling before a gradient is taken (CD-k).
        gibbs_steps: u64 = 1, integer(1..=1000);
        /// Samples of the top layer that Gibbs sampling goes on with from step to step (persistent contrastive divergence);
        /// 0 to begin at the data in each step, as the layers below do.
        chains: usize = 100, integer(0..=100_000);
    }
}

struct Pretrain;

impl Experiment for Pretrain {
    fn name(&self) -> &'static str {
        "dbn"
    }

    fn about(&self) -> &'static str {
        "Layer-wise pretraining of a deep belief network on 8x8 handwritten digits"
    }

    fn config(&self) -> Config {
        // Weight decay is for weights alone (G. E. Hinton, "A practical guide to training restricted Boltzmann machines",
        // 2010, section 10).
        let biases = |pattern: &str| GroupConfig {
            pattern: pattern.into(),
            optimizer: OptimizerConfig::default().with("weight_decay", 0.0),
            ..GroupConfig::default()
        };
        Config {
            model: "dbn".into(),
            data: DataConfig { name: "digits".into(), ..DataConfig::default() },
            train: TrainConfig { epochs: 90, batch_size: 20, ..TrainConfig::default() },
            optimizer: OptimizerConfig::new("sgd").with("lr", 0.2).with("momentum", 0.5).with("weight_decay", 2e-4),
            schedule: ScheduleConfig::new("linear"),
            groups: vec![biases("*bias")],
            ..Config::default()
        }
    }

    fn families(&self) -> Vec<Family> {
        vec![
            family("model", "model", "dbn", vec![("dbn", Schema::of::<DbnConfig>())]),
            family("task", "task", "pretrain", vec![("pretrain", Schema::of::<PretrainConfig>())]),
        ]
    }

    fn check(&self, config: &Config) -> Result<()> {
        config.resolved(&self.families())?;
        Source::named(&config.data.name)?;
        if config.model.parse::<DbnConfig>("model")?.hidden.is_empty() {
            return Err(Error::Usage("model.hidden: expected a layer at least, found none".into()));
        }
        // A unit is on with a probability.
        not_normalized(config, "a belief network takes values in [0, 1]")
    }

    fn prepare(
        &self,
        config: &Config,
        device: &Device,
        locate: &LocateOptions,
        reporter: &mut dyn Reporter,
    ) -> Result<Prepared> {
        let data = load(config, locate, reporter)?;
        let classes = data.classes.clone();
        let params = Params::new(device, config.dtype()?, RandomKey::new(config.train.seed));
        let sizes: DbnConfig = config.model.parse("model")?;
        let PretrainConfig { gibbs_steps, chains } = config.task.parse("task")?;
        let dbn = Dbn::new(data.shape.iter().product(), &sizes.hidden, classes.len(), &params)?;
        let seen = dbn.layers().last().map_or(0, |top| top.units()) + classes.len();
        let chain = (chains > 0).then(|| params.buffer("chain", [chains, seen], params.dtype(), 0.0)).transpose()?;
        let spec = serde_json::json!({
            "task": "pretrain", "inputs": { "kind": "pictures", "shape": data.shape }, "classes": classes,
        });
        let epochs = config.train.epochs;
        data.prepared(
            config,
            Box::new(LayerwisePretraining { dbn, epochs, steps: gibbs_steps, chain, classes }),
            params,
            spec,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_told() {
        let with = |text: &str| {
            let change = taper_train::Override::parse(text).unwrap();
            Pretrain.config().with(&[change]).and_then(|config| Pretrain.check(&config))
        };
        with("model.hidden=[7]").unwrap();
        let due = [
            ("model.hidden=[]", "model.hidden: expected a layer at least, found none"),
            ("model.hidden=[0]", "model.hidden: expected a list of integers, 1 or more"),
            ("task.gibbs_steps=0", "task.gibbs_steps: expected an integer from 1 to 1000, found 0"),
            ("data.augment=[{kind=\"normalize\",mean=[0.5],std=[0.5]}]", "values in [0, 1]"),
        ];
        for (setting, text) in due {
            let error = with(setting).unwrap_err().to_string();
            assert!(error.contains(text), "{setting}: {error}");
        }
    }
}
