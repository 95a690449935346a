//! Small runs on the digits: a network of the test's own, every run from the same first weights.

#![allow(dead_code)] // each test file uses its part

use taper_data::{ImageDataset, digits};
use taper_nn::{Activation, DType, Device, Flatten, Linear, LinearConfig, Params, RandomKey, Sequential};
use taper_tasks::Classification;
use taper_train::{Config, Override};

/// The default with these settings.
pub fn config(settings: &[&str]) -> Config {
    let settings: Vec<_> = settings.iter().map(|text| Override::parse(text).unwrap()).collect();
    Config::default().with(&settings).unwrap()
}

pub fn device() -> Device {
    Device::new(taper_cpu::CpuBackend::with_threads(1).unwrap())
}

/// 287 digits to learn from, as many classes as there are, and 360 to be tested on.
pub fn few() -> [ImageDataset; 2] {
    let splits = digits().unwrap();
    [splits.train.split_off(0.2, 1).unwrap().1, splits.test]
}

/// Classifying the digits by a network of 64 → 32 → 10 with first weights from `seed`.
pub fn classifier(dtype: DType, seed: u64) -> (Classification<Sequential>, Params) {
    let params = Params::new(&device(), dtype, RandomKey::new(seed));
    let linear = |name, from, to| Linear::new(LinearConfig::new(from, to), &params.sub(name)).unwrap();
    let model = Sequential::new().then(Flatten).then(linear("fc1", 64, 32));
    let model = model.then(Activation::Relu).then(linear("fc2", 32, 10));
    (Classification::new(model, (0..10).map(|class| class.to_string())), params)
}
