//! The experiment `cifar`: the seed CNN on CIFAR-10's 50,000 training and 10,000 test images of 32×32 pixels (A.
//! Krizhevsky, "Learning multiple layers of features from tiny images", 2009), scaled to [0, 1]. Adam, batches of 64,
//! ten epochs; a tenth of the training images is held out for validation. The recipes train other networks.

use super::pictures::Pictures;
use taper_train::{Config, DataConfig, Experiment, OptimizerConfig, Recipe, TrainConfig};

pub(super) const EXPERIMENT: &dyn Experiment = &Pictures {
    name: "cifar",
    about: "A convolutional network on CIFAR-10's pictures",
    config,
    recipes: &[
        Recipe {
            name: "fast94",
            about: "airbench's network, eight epochs with Muon: 94% on the original files",
            toml: include_str!("../../recipes/fast94.toml"),
        },
        Recipe {
            name: "resnet18",
            about: "ResNet-18, thirty epochs: about 95%",
            toml: include_str!("../../recipes/resnet18.toml"),
        },
    ],
};

fn config() -> Config {
    Config {
        model: "seed-cnn".into(),
        data: DataConfig { name: "cifar10".into(), validation: 0.1, ..DataConfig::default() },
        train: TrainConfig { epochs: 10, batch_size: 64, ..TrainConfig::default() },
        optimizer: OptimizerConfig::new("adam").with("lr", 1e-3),
        ..Config::default()
    }
}
