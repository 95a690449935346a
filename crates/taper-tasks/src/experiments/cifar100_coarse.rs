//! The experiment `cifar100-coarse`: the experiment `cifar100` with the twenty superclasses of CIFAR-100 as labels.

use super::pictures::Pictures;
use taper_train::{Config, DataConfig, Experiment, OptimizerConfig, TrainConfig};

pub(super) const EXPERIMENT: &dyn Experiment = &Pictures {
    name: "cifar100-coarse",
    about: "A convolutional network on CIFAR-100's twenty superclasses",
    config,
    recipes: &[],
};

fn config() -> Config {
    Config {
        model: "seed-cnn".into(),
        data: DataConfig { name: "cifar100-coarse".into(), validation: 0.1, ..DataConfig::default() },
        train: TrainConfig { epochs: 10, batch_size: 64, ..TrainConfig::default() },
        optimizer: OptimizerConfig::new("adam").with("lr", 1e-3),
        ..Config::default()
    }
}
