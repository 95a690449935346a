//! The experiment `digits`: a multilayer perceptron on handwritten digits of 8×8 pixels (E. Alpaydin and C. Kaynak,
//! UCI, 1998; 1,437 training and 360 test images). The data are embedded in the program, so that it needs no download.
//! A tenth of the training images is held out for validation.

use super::pictures::Pictures;
use taper_train::{Config, DataConfig, Experiment, OptimizerConfig, TrainConfig};

pub(super) const EXPERIMENT: &dyn Experiment =
    &Pictures { name: "digits", about: "A small MLP on 8x8 handwritten digits, in seconds", config, recipes: &[] };

fn config() -> Config {
    Config {
        model: "mlp".into(),
        data: DataConfig { name: "digits".into(), validation: 0.1, ..DataConfig::default() },
        train: TrainConfig { epochs: 20, batch_size: 64, ..TrainConfig::default() },
        optimizer: OptimizerConfig::new("adam").with("lr", 1e-3),
        ..Config::default()
    }
}
