//! The experiment `fashion-mnist`: the seed CNN on 60,000 training and 10,000 test pictures of clothes of 28×28
//! pixels (H. Xiao, K. Rasul and R. Vollgraf, arXiv:1708.07747, 2017), scaled to [0, 1]. Adam, batches of 64, ten epochs; a
//! tenth of the training images is held out for validation.

use super::pictures::Pictures;
use taper_train::{Config, DataConfig, Experiment, OptimizerConfig, TrainConfig};

pub(super) const EXPERIMENT: &dyn Experiment = &Pictures {
    name: "fashion-mnist",
    about: "A convolutional network on Fashion-MNIST's clothes",
    config,
    recipes: &[],
};

fn config() -> Config {
    Config {
        model: "seed-cnn".into(),
        data: DataConfig { name: "fashion-mnist".into(), validation: 0.1, ..DataConfig::default() },
        train: TrainConfig { epochs: 10, batch_size: 64, ..TrainConfig::default() },
        optimizer: OptimizerConfig::new("adam").with("lr", 1e-3),
        ..Config::default()
    }
}
