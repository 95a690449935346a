//! The operations of tensors, one file each: forward, backward rule and the cases of its gradient check.
//!
//! To add an operation, add a file with a `cases()` function, and its name to `operations!` below.

#[cfg(any(test, feature = "gradcheck"))]
use crate::gradcheck::Case;

mod shorthand;

macro_rules! operations {
    ($($name:ident),* $(,)?) => {
        // The cases are compiled only for tests and with the feature `gradcheck`.
        $(#[cfg_attr(not(any(test, feature = "gradcheck")), allow(dead_code))] mod $name;)*

        /// The name of each operation's file, with the cases of its gradient check.
        #[cfg(any(test, feature = "gradcheck"))]
        pub(crate) fn registry() -> Vec<(&'static str, Vec<Case>)> {
            vec![$((stringify!($name), $name::cases())),*]
        }
    };
}

operations! {
    abs,
    activation,
    adaptive_avg_pool2d,
    add,
    all_finite,
    any,
    argmax,
    atan,
    atan2,
    attention,
    avg_pool2d,
    batch_norm,
    broadcast_to,
    cast,
    clamp,
    compare,
    concat,
    conv1d,
    conv2d,
    conv_transpose,
    cos,
    cross_entropy,
    cumprod,
    cumsum,
    div,
    dropout,
    einsum,
    embedding,
    erf,
    exp,
    exp_neg_square,
    expm1,
    flip,
    floor,
    gather,
    group_norm,
    index_select,
    interpolate,
    layer_norm,
    linear,
    log,
    log1p,
    logical,
    logsumexp,
    masked,
    matmul,
    max,
    max_pool2d,
    maximum,
    mean,
    min,
    minimum,
    mul,
    neg,
    nll_loss,
    norm,
    norm_all,
    normal_cdf,
    normal_pdf,
    pad,
    permute,
    pixel_shuffle,
    pow,
    prod,
    products,
    recip,
    recurrent,
    repeat,
    reshape,
    rms_norm,
    roll,
    round,
    rsqrt,
    scatter_add,
    select,
    sign,
    sin,
    slice,
    softmax,
    sort,
    special,
    split,
    sqrt,
    sub,
    sum,
    tan,
    topk,
    triangle,
    unfold,
    var,
    weighted,
    with_index,
}

pub use attention::AttentionOptions;
pub use conv_transpose::{ConvTranspose1dSpec, ConvTranspose2dSpec};
pub use conv1d::{Conv1dSpec, Pool1dSpec};
pub use cross_entropy::CrossEntropyOptions;
pub use interpolate::Interpolation;
pub use nll_loss::NllOptions;
pub use recurrent::{RecurrentOptions, RecurrentOutput, RecurrentWeights};
pub use unfold::UnfoldSpec;

/// The batch statistics that batch norm in training returns beside its output.
#[derive(Debug, Clone)]
pub struct NormStats {
    /// The mean of each channel, `[C]`.
    pub mean: crate::Tensor,
    /// The biased variance of each channel, `[C]`.
    pub var: crate::Tensor,
}
