//! The layers, one per file, each listed below.

crate::gradcheck::checked_modules! {
    apl,
    arc_face,
    avg_pool1d,
    avg_pool2d,
    batch_norm,
    conv1d,
    conv2d,
    conv_transpose,
    dropout,
    embedding,
    embedding_bag,
    flatten,
    group_norm,
    instance_norm,
    layer_norm,
    linear,
    local_response_norm,
    max_pool1d,
    max_pool2d,
    maxout,
    multihead_attention,
    pau,
    pixel_shuffle,
    prelu,
    recurrent,
    rms_norm,
    rotary_embedding,
    sinusoidal_positions,
    stochastic_depth,
    transformer_decoder_layer,
    transformer_encoder_layer,
    upsample,
    zero_pad2d,
}
mod pair;

pub use apl::Apl;
pub use arc_face::{ArcFace, ArcFaceConfig, FaceMargin};
pub use avg_pool1d::{AdaptiveAvgPool1d, AvgPool1d};
pub use avg_pool2d::{AdaptiveAvgPool2d, AvgPool2d};
pub use batch_norm::{BatchNorm1d, BatchNorm2d, BatchNormConfig};
pub use conv_transpose::{ConvTranspose1d, ConvTranspose1dConfig, ConvTranspose2d, ConvTranspose2dConfig};
pub use conv1d::{Conv1d, Conv1dConfig};
pub use conv2d::{Conv2d, Conv2dConfig};
pub use dropout::Dropout;
pub use embedding::{Embedding, EmbeddingConfig};
pub use embedding_bag::{BagMode, EmbeddingBag, EmbeddingBagConfig};
pub use flatten::{Flatten, FlattenDims};
pub use group_norm::{GroupNorm, GroupNormConfig};
pub use instance_norm::{InstanceNorm1d, InstanceNorm2d, InstanceNormConfig};
pub use layer_norm::{LayerNorm, LayerNormConfig};
pub use linear::{Linear, LinearConfig};
pub use local_response_norm::LocalResponseNorm;
pub use max_pool1d::MaxPool1d;
pub use max_pool2d::MaxPool2d;
pub use maxout::Maxout;
pub use multihead_attention::{AttentionMasks, KvCache, MultiheadAttention, MultiheadAttentionConfig};
pub use pair::Pair;
pub use pau::Pau;
pub use pixel_shuffle::{PixelShuffle, PixelUnshuffle};
pub use prelu::PRelu;
pub use recurrent::{Gru, GruCell, Lstm, LstmCell, RecurrentConfig, RecurrentInput, Rnn, RnnActivation, RnnCell};
pub use rms_norm::{RmsNorm, RmsNormConfig};
pub use rotary_embedding::{RotaryConfig, RotaryEmbedding, RotaryPairs};
pub use sinusoidal_positions::SinusoidalPositions;
pub use stochastic_depth::StochasticDepth;
pub use transformer_decoder_layer::TransformerDecoderLayer;
pub use transformer_encoder_layer::{TransformerEncoderLayer, TransformerLayerConfig};
pub use upsample::Upsample;
pub use zero_pad2d::ZeroPad2d;

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

/// Returns an error unless `groups`, at least 1, divides both numbers of channels.
pub(crate) fn groups_divide(op: &'static str, path: &str, groups: usize, [inputs, outputs]: [usize; 2]) -> Result<()> {
    if inputs.is_multiple_of(groups) && outputs.is_multiple_of(groups) {
        return Ok(());
    }
    let detail = format!("groups {groups} must divide {inputs} input and {outputs} output channels");
    at(path, Err(Error::argument(op, detail)))
}
