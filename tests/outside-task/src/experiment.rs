//! The experiment: a noisy sine, and all that is needed to forecast it.

use crate::{Forecaster, ForecasterConfig, Forecasting, SmoothedLoss};
use serde_json::json;
use taper_config::Family;
use taper_data::{Batch, DType, Dataset, FieldSpec, LocateOptions};
use taper_nn::{Device, Params, RandomKey};
use taper_train::{
    Config, DataConfig, DatasetRecord, Error, Experiment, Hook, OptimizerConfig, Prepared, Reporter, Result,
    TrainConfig,
};

/// Forecasting a noisy sine.
pub struct Sine;

impl Experiment for Sine {
    fn name(&self) -> &'static str {
        "sine"
    }

    fn about(&self) -> &'static str {
        "Forecasts of a noisy sine"
    }

    fn config(&self) -> Config {
        Config {
            model: Forecaster::NAME.into(),
            data: DataConfig { name: "sine".into(), ..DataConfig::default() },
            train: TrainConfig { epochs: 3, batch_size: 32, ..TrainConfig::default() },
            optimizer: OptimizerConfig::new("adam").with("lr", 0.01),
            ..Config::default()
        }
    }

    fn families(&self) -> Vec<Family> {
        vec![Forecaster::family()]
    }

    /// Nothing has to be downloaded.
    fn source(&self, _config: &Config) -> Option<String> {
        None
    }

    fn check(&self, config: &Config) -> Result<()> {
        match &*config.train.dtype {
            "f32" => Ok(()),
            other => Err(Error::Usage(format!("train.dtype: {other}: the series is in f32"))),
        }
    }

    fn prepare(
        &self,
        config: &Config,
        device: &Device,
        _locate: &LocateOptions,
        _reporter: &mut dyn Reporter,
    ) -> Result<Prepared> {
        let params = Params::new(device, config.dtype()?, RandomKey::new(config.train.seed));
        let task = Forecasting(Forecaster::new(&config.model, &params)?);
        let window = config.model.parse::<ForecasterConfig>("model")?.window;
        let part = |name| Series { key: RandomKey::new(1).child(name), window, samples: 400 };
        let (train, validation, test) = (part("train"), part("validation"), part("test"));
        Ok(Prepared {
            task: Box::new(task),
            dataset: DatasetRecord {
                description: "a generated sine with noise".into(),
                origin: "generated".into(),
                path: None,
                citation: None,
                checksum: format!("sine 1, {window} values"),
                train: train.len(),
                validation: validation.len(),
                test: test.len(),
            },
            params,
            train: Box::new(train),
            validation: Some(Box::new(validation)),
            test: Some(Box::new(test)),
            spec: json!({ "task": "forecast" }),
        })
    }

    fn hooks(&self, _config: &Config) -> Vec<Box<dyn Hook>> {
        vec![Box::new(SmoothedLoss::default())]
    }
}

/// Windows of a sine of which each value has noise with a deviation of 0.1: `past`, `[N, window]`, and `next`, `[N]`.
struct Series {
    key: RandomKey,
    window: usize,
    samples: usize,
}

impl Dataset for Series {
    fn len(&self) -> usize {
        self.samples
    }

    fn fields(&self) -> Vec<FieldSpec> {
        vec![FieldSpec::new("past", DType::F32, &[self.window]), FieldSpec::new("next", DType::F32, &[])]
    }

    fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> taper_data::Result<()> {
        let value = |i: usize| ((0.3 * i as f64).sin() + 0.1 * self.key.normal(i as u64)) as f32;
        let (n, window) = (indices.len(), self.window);
        for (past, &i) in batch.f32("past", &[n, window]).chunks_exact_mut(window).zip(indices) {
            past.iter_mut().enumerate().for_each(|(j, x)| *x = value(i + j));
        }
        for (next, &i) in batch.f32("next", &[n]).iter_mut().zip(indices) {
            *next = value(i + window);
        }
        Ok(())
    }
}
