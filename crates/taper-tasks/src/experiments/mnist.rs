//! The experiment `mnist`: the seed CNN on MNIST's 60,000 training and 10,000 test digits of 28×28 pixels (Y.
//! LeCun, L. Bottou, Y. Bengio and P. Haffner, Proceedings of the IEEE 86(11), 1998), scaled to [0, 1]. Adam, batches of 64,
//! five epochs; a tenth of the training images is held out for validation.

use super::pictures::Pictures;
use taper_train::{Config, DataConfig, Experiment, OptimizerConfig, TrainConfig};

pub(super) const EXPERIMENT: &dyn Experiment =
    &Pictures { name: "mnist", about: "A convolutional network on MNIST's handwritten digits", config, recipes: &[] };

fn config() -> Config {
    Config {
        model: "seed-cnn".into(),
        data: DataConfig { name: "mnist".into(), validation: 0.1, ..DataConfig::default() },
        train: TrainConfig { epochs: 5, batch_size: 64, ..TrainConfig::default() },
        optimizer: OptimizerConfig::new("adam").with("lr", 1e-3),
        ..Config::default()
    }
}
