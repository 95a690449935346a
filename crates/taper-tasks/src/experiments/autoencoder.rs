//! The experiment `autoencoder`: pictures of a built-in data set, the handwritten digits by default, through a code of a few
//! numbers and back.

use super::own::family;
use super::pictures::{load, not_normalized};
use crate::Autoencoding;
use taper_config::{Family, Schema, table};
use taper_data::{LocateOptions, Source};
use taper_models::{Autoencoder, NoKeys};
use taper_nn::{Device, Params, RandomKey};
use taper_train::{Config, DataConfig, Experiment, OptimizerConfig, Prepared, Reporter, Result, TrainConfig};

pub(super) const EXPERIMENT: &dyn Experiment = &Autoencode;

table! {
    /// `[model]` of the experiment, whose only model is an [`Autoencoder`].
    pub struct AutoencoderConfig {
        /// Sizes of the encoder's hidden layers; the decoder has them the other way round.
        hidden: Vec<usize> = vec![48], each("a list of integers, 1 or more", |size| *size >= 1);
        /// The number of values in a code.
        code: usize = 8, integer(1..=65_536);
    }
}

struct Autoencode;

impl Experiment for Autoencode {
    fn name(&self) -> &'static str {
        "autoencoder"
    }

    fn about(&self) -> &'static str {
        "An autoencoder of 8x8 handwritten digits, with a code of 8 numbers"
    }

    fn config(&self) -> Config {
        Config {
            model: "autoencoder".into(),
            data: DataConfig { name: "digits".into(), validation: 0.1, ..DataConfig::default() },
            train: TrainConfig { epochs: 40, batch_size: 64, ..TrainConfig::default() },
            optimizer: OptimizerConfig::new("adam").with("lr", 2e-3),
            ..Config::default()
        }
    }

    fn families(&self) -> Vec<Family> {
        vec![
            family("model", "model", "autoencoder", vec![("autoencoder", Schema::of::<AutoencoderConfig>())]),
            family("task", "task", "autoencode", vec![("autoencode", Schema::of::<NoKeys>())]),
        ]
    }

    fn check(&self, config: &Config) -> Result<()> {
        config.resolved(&self.families())?;
        Source::named(&config.data.name)?;
        // A sigmoid gives nothing outside [0, 1].
        not_normalized(config, "an autoencoder reconstructs values in [0, 1]")
    }

    fn prepare(
        &self,
        config: &Config,
        device: &Device,
        locate: &LocateOptions,
        reporter: &mut dyn Reporter,
    ) -> Result<Prepared> {
        let data = load(config, locate, reporter)?;
        let params = Params::new(device, config.dtype()?, RandomKey::new(config.train.seed));
        let sizes: AutoencoderConfig = config.model.parse("model")?;
        let model = Autoencoder::new(data.shape.iter().product(), &sizes.hidden, sizes.code, &params)?;
        let spec = serde_json::json!({ "task": "autoencode", "inputs": { "kind": "pictures", "shape": data.shape } });
        data.prepared(config, Box::new(Autoencoding(model)), params, spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_model_and_its_pictures_are_its_own() {
        let with = |text: &str| {
            let change = taper_train::Override::parse(text).unwrap();
            Autoencode.config().with(&[change]).and_then(|config| Autoencode.check(&config))
        };
        with("model.code=2").unwrap();
        with("data.name=mnist").unwrap();
        let due = [
            ("model.name=mlp", "mlp"),
            ("model.code=0", "model.code: expected an integer from 1 to 2^16, found 0"),
            ("model.hidden=[0]", "model.hidden: expected a list of integers, 1 or more"),
            ("data.augment=[{kind=\"normalize\",mean=[0.5],std=[0.5]}]", "values in [0, 1]"),
        ];
        for (setting, text) in due {
            let error = with(setting).unwrap_err().to_string();
            assert!(error.contains(text), "{setting}: {error}");
        }
    }
}
