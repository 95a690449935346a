//! Small runs on the digits: a model of the test's own choice, every run from the same first weights.

#![allow(dead_code)] // each test file uses its part

use std::path::Path;
use std::sync::atomic::AtomicBool;
use taper_data::{ImageDataset, digits};
use taper_nn::{
    Activation, BatchNorm1d, BatchNormConfig, DType, Device, Dropout, Flatten, Linear, LinearConfig, Params, RandomKey,
    Sequential, StochasticDepth,
};
use taper_train::{Config, Fit, Hook, Outcome, Override, Result, RunFolder, Silent};

/// What is learned from, decided by, and measured on at the end.
pub struct Data {
    pub train: ImageDataset,
    pub validation: ImageDataset,
    pub test: ImageDataset,
}

impl Data {
    /// 285 digits to learn from, as many classes as there are.
    pub fn few() -> Self {
        let (rest, train) = digits().unwrap().train.split_off(0.2, 1).unwrap();
        let (_, validation) = rest.split_off(0.1, 1).unwrap();
        Self { train, validation, test: digits().unwrap().test }
    }

    /// All of them, a tenth for validation.
    pub fn all() -> Self {
        let splits = digits().unwrap();
        let (train, validation) = splits.train.split_off(0.1, 0).unwrap();
        Self { train, validation, test: splits.test }
    }
}

/// The default with these settings.
pub fn config(settings: &[&str]) -> Config {
    let settings: Vec<_> = settings.iter().map(|text| Override::parse(text).unwrap()).collect();
    Config::default().with(&settings).unwrap()
}

pub fn device() -> Device {
    Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap())
}

/// A model and its parameters.
pub struct Net {
    pub model: Sequential,
    pub params: Params,
}

impl Net {
    /// 64 → 32 → 10 with first weights from `seed`.
    pub fn plain(dtype: DType, seed: u64) -> Self {
        let params = Params::new(&device(), dtype, RandomKey::new(seed));
        let linear = |name, from, to| Linear::new(LinearConfig::new(from, to), &params.sub(name)).unwrap();
        let model = Sequential::new().then(Flatten).then(linear("fc1", 64, 32));
        let model = model.then(Activation::Relu).then(linear("fc2", 32, 10));
        Self { model, params }
    }

    /// The same with batch norm, dropout and stochastic depth.
    pub fn stochastic(dtype: DType, seed: u64) -> Self {
        let params = Params::new(&device(), dtype, RandomKey::new(seed));
        let linear = |name, from, to| Linear::new(LinearConfig::new(from, to), &params.sub(name)).unwrap();
        let model = Sequential::new()
            .then(Flatten)
            .then(linear("fc1", 64, 32))
            .then(BatchNorm1d::new(BatchNormConfig::new(32), &params.sub("bn")).unwrap())
            .then(Activation::Relu)
            .then(Dropout::new(0.3, &params.sub("drop")).unwrap())
            .then(StochasticDepth::new(0.2, &params.sub("depth")).unwrap())
            .then(linear("fc2", 32, 10));
        Self { model, params }
    }

    /// Every weight, bit by bit.
    pub fn bits(&self) -> Vec<(String, Vec<u64>)> {
        let all = self.params.all();
        let bits =
            |tensor: taper_nn::Tensor| tensor.to_host().unwrap().to_f64().into_iter().map(f64::to_bits).collect();
        all.iter().map(|param| (param.name().to_owned(), bits(param.tensor()))).collect()
    }

    /// Trains with everything that may be wanted.
    pub fn fit(
        &self,
        config: &Config,
        data: &Data,
        folder: Option<(&RunFolder, bool)>,
        stop: Option<&AtomicBool>,
        hooks: Vec<&mut dyn Hook>,
    ) -> Result<Outcome> {
        let mut fit = Fit::new(config, &self.model, &self.params, &data.train);
        fit = fit.validation(&data.validation).test(&data.test);
        if let Some((folder, resume)) = folder {
            fit = fit.folder(folder);
            fit = if resume { fit.resume() } else { fit };
        }
        if let Some(stop) = stop {
            fit = fit.stop(stop);
        }
        hooks.into_iter().fold(fit, |fit, hook| fit.hook(hook)).run(&mut Silent)
    }
}

/// `metrics.jsonl` line by line, without what depends on the clock.
pub fn metrics(folder: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    let mut lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in lines.iter_mut().filter_map(serde_json::Value::as_object_mut) {
        line.retain(|key, _| !["seconds", "images_per_s", "loader_idle"].contains(&key.as_str()));
    }
    lines
}

/// The events of a run without their times, nor those that tell times.
pub fn events(folder: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(folder.join("events/events.out.tfevents.taper")).unwrap();
    let (mut rest, mut found) = (bytes.as_slice(), Vec::new());
    while !rest.is_empty() {
        // Length (8 bytes), its checksum (4), the event, its checksum (4); the event begins with its time (9).
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        let event = &rest[12 + 9..12 + length];
        if !event.windows(5).any(|part| part == b"time/") {
            found.push(event.to_vec());
        }
        rest = &rest[12 + length + 4..];
    }
    found
}
