//! The layers, one per file, each listed below.

crate::gradcheck::checked_modules! {
    avg_pool2d,
    batch_norm,
    conv2d,
    dropout,
    embedding,
    flatten,
    layer_norm,
    linear,
    max_pool2d,
    recurrent,
    stochastic_depth,
}
mod pair;

pub use avg_pool2d::{AdaptiveAvgPool2d, AvgPool2d};
pub use batch_norm::{BatchNorm1d, BatchNorm2d, BatchNormConfig};
pub use conv2d::{Conv2d, Conv2dConfig};
pub use dropout::Dropout;
pub use embedding::{Embedding, EmbeddingConfig};
pub use flatten::Flatten;
pub use layer_norm::{LayerNorm, LayerNormConfig};
pub use linear::{Linear, LinearConfig};
pub use max_pool2d::MaxPool2d;
pub use pair::Pair;
pub use recurrent::{Gru, GruCell, Lstm, LstmCell, RecurrentConfig, RecurrentInput, Rnn, RnnActivation, RnnCell};
pub use stochastic_depth::StochasticDepth;

use taper_tensor::{Error, Result};

/// Adds the layer's path to an error of its operation, unless a layer inside this one has added its own.
pub(crate) fn at<T>(path: &str, result: Result<T>) -> Result<T> {
    let inside = |detail: String| match path.is_empty() || detail.ends_with(')') && detail.contains(" (in layer ") {
        true => detail,
        false => format!("{detail} (in layer {path})"),
    };
    result.map_err(|error| match error {
        Error::Shape { op, detail } => Error::Shape { op, detail: inside(detail) },
        Error::DType { op, detail } => Error::DType { op, detail: inside(detail) },
        Error::Argument { op, detail } => Error::Argument { op, detail: inside(detail) },
        other => other,
    })
}

/// Returns an error unless every size is at least 1.
pub(crate) fn at_least_one(op: &'static str, path: &str, sizes: &[(&str, usize)]) -> Result<()> {
    match sizes.iter().find(|(_, size)| *size == 0) {
        Some((name, _)) => at(path, Err(Error::argument(op, format!("{name} must be at least 1, came as 0")))),
        None => Ok(()),
    }
}
