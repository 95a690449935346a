//! Small runs on the digits: a task and a model of the test's own, every run from the same first weights.

#![allow(dead_code)] // each test file uses its part

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use taper_data::{Dataset, ImageDataset, LocateOptions, digits};
use taper_nn::{
    Activation, BatchNorm1d, BatchNormConfig, Context, CrossEntropy, DType, Device, Dropout, Flatten, Linear,
    LinearConfig, Module, Params, RandomKey, Sequential, StochasticDepth, Tensor,
};
use taper_train::{
    Config, DatasetRecord, DeviceBatch, Evaluation, Experiment, Fit, Hook, Metric, Outcome, Override, Prepared,
    Reporter, Result, RunFolder, Silent, Sums, Task, TrainOptions,
};

/// What is learned from, decided by, and measured on at the end.
pub struct Data {
    pub train: Box<dyn Dataset>,
    pub validation: ImageDataset,
    pub test: ImageDataset,
}

impl Data {
    /// 285 digits to learn from, as many classes as there are.
    pub fn few() -> Self {
        let (rest, train) = digits().unwrap().train.split_off(0.2, 1).unwrap();
        let (_, validation) = rest.split_off(0.1, 1).unwrap();
        Self { train: Box::new(train), validation, test: digits().unwrap().test }
    }

    /// All of them, a tenth for validation.
    pub fn all() -> Self {
        let splits = digits().unwrap();
        let (train, validation) = splits.train.split_off(0.1, 0).unwrap();
        Self { train: Box::new(train), validation, test: splits.test }
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

/// The loss of outputs and labels.
pub type Loss<'a> = dyn Fn(&Tensor, &Tensor) -> taper_nn::Result<Tensor> + Sync + 'a;

/// Classification as a task of one's own: the loss, the mean over the samples, and the accuracy.
pub struct Classify<'a> {
    pub model: Arc<dyn Module + 'a>,
    pub loss: &'a Loss<'a>,
}

/// The cross entropy.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor) -> taper_nn::Result<Tensor> {
    CrossEntropy::default().forward(logits, labels)
}

impl Task for Classify<'_> {
    fn metrics(&self) -> Vec<Metric> {
        vec![Metric::loss("nats"), Metric::percent("accuracy")]
    }

    fn monitor(&self) -> &str {
        "accuracy"
    }

    fn train(&self, batch: &DeviceBatch<'_>, context: &Context) -> Result<Sums> {
        let (x, labels) = (batch.float("inputs")?, batch.tensor("labels")?);
        let logits = self.model.forward(&x, context)?;
        let right = taper_nn::no_grad(|| logits.argmax(1, false)?.eq(&labels)?.cast(DType::I64)?.sum_all())?;
        let n = batch.len();
        Ok(Sums::mean((self.loss)(&logits, &labels)?, n).with("accuracy", right, n))
    }
}

/// The accuracy that was measured.
pub fn accuracy(found: &Evaluation) -> f64 {
    found.get("accuracy").unwrap()
}

/// A model and its parameters.
pub struct Net {
    pub model: Arc<dyn Module>,
    pub params: Params,
}

impl Net {
    pub fn new(model: impl Module + 'static, params: Params) -> Self {
        Self { model: Arc::new(model), params }
    }

    /// 64 → 32 → 10 with first weights from `seed`.
    pub fn plain(dtype: DType, seed: u64) -> Self {
        Self::on(&device(), dtype, seed, 10)
    }

    /// 64 → 32 → `classes`.
    pub fn on(device: &Device, dtype: DType, seed: u64, classes: usize) -> Self {
        let params = Params::new(device, dtype, RandomKey::new(seed));
        let linear = |name, from, to| Linear::new(LinearConfig::new(from, to), &params.sub(name)).unwrap();
        let model = Sequential::new().then(Flatten).then(linear("fc1", 64, 32));
        let model = model.then(Activation::Relu).then(linear("fc2", 32, classes));
        Self::new(model, params)
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
        Self::new(model, params)
    }

    /// The task of classifying with it.
    pub fn task(&self) -> Classify<'static> {
        self.task_of(&cross_entropy)
    }

    /// The same with another loss.
    pub fn task_of<'a>(&self, loss: &'a Loss<'a>) -> Classify<'a> {
        Classify { model: self.model.clone(), loss }
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
        let task = self.task();
        let mut fit = Fit::new(config, &task, &self.params, &*data.train);
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

/// The digits as an experiment of this name.
pub struct Digits(pub &'static str);

impl Experiment for Digits {
    fn name(&self) -> &'static str {
        self.0
    }

    fn about(&self) -> &'static str {
        "A small network on the digits"
    }

    fn config(&self) -> Config {
        config(&["train.epochs=20", "optimizer.name=adam", "optimizer.lr=0.001"])
    }

    fn check(&self, _config: &Config) -> Result<()> {
        Ok(())
    }

    fn prepare(
        &self,
        config: &Config,
        device: &Device,
        _locate: &LocateOptions,
        _reporter: &mut dyn Reporter,
    ) -> Result<Prepared> {
        let mut splits = digits()?;
        let first = |n: usize| if n == 0 { usize::MAX } else { n };
        splits.train.truncate(first(config.data.train_samples));
        splits.test.truncate(first(config.data.test_samples));
        let dataset = DatasetRecord {
            description: "digits".into(),
            citation: None,
            origin: "embedded".into(),
            path: None,
            checksum: splits.checksum(),
            train: splits.train.len(),
            validation: 0,
            test: splits.test.len(),
        };
        let net = Net::on(device, config.dtype()?, config.train.seed, 10);
        Ok(Prepared {
            task: Box::new(net.task()),
            params: net.params,
            train: Box::new(splits.train),
            validation: None,
            test: Some(Box::new(splits.test)),
            dataset,
            spec: serde_json::Value::Null,
        })
    }
}

/// The options of a run in the folder `run`, which is resumed if it was begun.
pub fn options<'a>(run: &Path, stop: &'a AtomicBool) -> TrainOptions<'a> {
    TrainOptions {
        run_dir: Some(run.into()),
        resume: true,
        pause_after: None,
        test: true,
        runs: run.into(),
        locate: LocateOptions::default(),
        commit: None,
        command: None,
        stop,
    }
}

/// `metrics.jsonl` line by line, without what depends on the clock.
pub fn metrics(folder: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    let mut lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in lines.iter_mut().filter_map(serde_json::Value::as_object_mut) {
        line.retain(|key, _| !["seconds", "samples_per_s", "loader_idle"].contains(&key.as_str()));
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
