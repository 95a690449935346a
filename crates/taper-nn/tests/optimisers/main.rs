//! Optimisers: beside PyTorch's and the papers' recurrences, what they remember, and what is made around them.

#[path = "../common/mod.rs"]
mod common;

mod around;
mod extremes;
mod recorded;
mod recurrences;
mod state;
mod steps;

use std::sync::OnceLock;
use taper_nn::{
    Adagrad, AdagradConfig, Adam, AdamConfig, Device, Gradients, Lamb, LambConfig, Lion, LionConfig, Lookahead,
    LookaheadConfig, Muon, MuonConfig, Optimizer, Param, Rmsprop, RmspropConfig, Sgd, SgdConfig, Tensor,
};

/// One device, so that parameters made here and there can meet.
fn device() -> Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(common::device).clone()
}

/// A parameter of numbers that are not small and of both signs.
fn param(name: &str, shape: impl Into<taper_nn::Shape>) -> Param {
    let shape = shape.into();
    let data = (0..shape.count()).map(|i| (1.0 + i as f64).sin() + 0.1).collect();
    Param::new(name, &Tensor::from_vec(data, shape, &device()).unwrap())
}

/// Gradients of which that of `param` is `g`: those of Σ g · p.
fn gradients(param: &Param, g: &[f64]) -> Gradients {
    let p = param.tensor();
    let g = Tensor::from_vec(g.to_vec(), p.shape(), p.device()).unwrap();
    p.mul(&g).unwrap().sum_all().unwrap().backward().unwrap()
}

/// A gradient for step `step` of `count` elements.
fn draw(step: usize, count: usize) -> Vec<f64> {
    (0..count).map(|i| (7.0 * step as f64 + 2.0 * i as f64).cos()).collect()
}

fn values(param: &Param) -> Vec<f64> {
    param.tensor().to_vec().unwrap()
}

fn said<T>(result: taper_nn::Result<T>) -> String {
    result.err().expect("an error").to_string()
}

/// Every optimiser, with all that it can remember, over `params`, which are matrices.
fn every(params: &[&Param]) -> Vec<(&'static str, Box<dyn Optimizer>)> {
    let all = || params.iter().copied().cloned().collect::<Vec<Param>>();
    let rmsprop = RmspropConfig { momentum: 0.9, centered: true, ..Default::default() };
    let sgd = SgdConfig { momentum: 0.9, ..Default::default() };
    let inner = Box::new(Sgd::new(all(), sgd).unwrap());
    vec![
        ("adam", Box::new(Adam::new(all(), AdamConfig::default()).unwrap())),
        ("adamw", Box::new(Adam::new(all(), AdamConfig::adamw()).unwrap())),
        ("sgd", Box::new(Sgd::new(all(), sgd).unwrap())),
        ("rmsprop", Box::new(Rmsprop::new(all(), rmsprop).unwrap())),
        ("adagrad", Box::new(Adagrad::new(all(), AdagradConfig { lr_decay: 0.1, ..Default::default() }).unwrap())),
        ("lion", Box::new(Lion::new(all(), LionConfig::default()).unwrap())),
        ("lamb", Box::new(Lamb::new(all(), LambConfig { weight_decay: 0.1, ..Default::default() }).unwrap())),
        ("muon", Box::new(Muon::new(all(), MuonConfig::airbench()).unwrap())),
        ("lookahead", Box::new(Lookahead::new(inner, LookaheadConfig { every: 2, ..Default::default() }).unwrap())),
    ]
}
