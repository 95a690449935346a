//! The seed CNN on CIFAR-10's 50,000 / 10,000 pictures of 32×32 (A. Krizhevsky, "Learning multiple layers of features
//! from tiny images", 2009), scaled to [0, 1]: Adam, batches of 64, ten epochs.

use crate::{Config, DataConfig, DeviceConfig, OptimizerConfig, TrainConfig};

pub(super) fn config() -> Config {
    Config {
        model: "seed-cnn".into(),
        data: DataConfig { name: "cifar10".into(), train_samples: 0, test_samples: 0 },
        train: TrainConfig { epochs: 10, batch_size: 64, ..TrainConfig::default() },
        optimizer: OptimizerConfig { lr: 1e-3, ..OptimizerConfig::default() },
        device: DeviceConfig::default(),
    }
}
