//! A multilayer perceptron on 8×8 handwritten digits (E. Alpaydin and C. Kaynak, UCI, 1998; 1,437 / 360 pictures),
//! embedded in the program: the first thing to run.

use crate::{Config, DataConfig, DeviceConfig, OptimizerConfig, TrainConfig};

pub(super) fn config() -> Config {
    Config {
        model: "mlp".into(),
        data: DataConfig { name: "digits".into(), train_samples: 0, test_samples: 0 },
        train: TrainConfig { epochs: 20, batch_size: 64, ..TrainConfig::default() },
        optimizer: OptimizerConfig { lr: 1e-3, ..OptimizerConfig::default() },
        device: DeviceConfig::default(),
    }
}
