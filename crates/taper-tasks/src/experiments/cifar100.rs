//! The experiment `cifar100`: the seed CNN on CIFAR-100's 50,000 training and 10,000 test images of 32×32 pixels
//! in a hundred classes (A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009), scaled to [0, 1]. Adam,
//! batches of 64, ten epochs; a tenth of the training images is held out for validation.

use super::pictures::Pictures;
use taper_train::{Config, DataConfig, Experiment, OptimizerConfig, TrainConfig};

pub(super) const EXPERIMENT: &dyn Experiment = &Pictures {
    name: "cifar100",
    about: "A convolutional network on CIFAR-100's hundred classes",
    config,
    recipes: &[],
};

fn config() -> Config {
    Config {
        model: "seed-cnn".into(),
        data: DataConfig { name: "cifar100".into(), validation: 0.1, ..DataConfig::default() },
        train: TrainConfig { epochs: 10, batch_size: 64, ..TrainConfig::default() },
        optimizer: OptimizerConfig::new("adam").with("lr", 1e-3),
        ..Config::default()
    }
}
