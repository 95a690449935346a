//! Every differentiable operation, one file each: forward, backward rule and gradient-check cases side by side.
//!
//! A new operation is a new file with a `cases()` function, and one line below.

#[cfg(any(test, feature = "gradcheck"))]
use crate::gradcheck::Case;

mod shorthand;

macro_rules! operations {
    ($($name:ident),* $(,)?) => {
        // Cases are compiled where they are asked for.
        $(#[cfg_attr(not(any(test, feature = "gradcheck")), allow(dead_code))] mod $name;)*

        /// The name of each operation file with the cases that it is checked on.
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
    argmax,
    avg_pool2d,
    batch_norm,
    broadcast_to,
    cast,
    compare,
    concat,
    conv2d,
    cos,
    cross_entropy,
    div,
    dropout,
    embedding,
    erf,
    exp,
    exp_neg_square,
    expm1,
    floor,
    gather,
    layer_norm,
    linear,
    log,
    log1p,
    logsumexp,
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
    norm_all,
    normal_cdf,
    normal_pdf,
    pad,
    permute,
    pow,
    recip,
    reshape,
    scatter_add,
    select,
    sign,
    sin,
    slice,
    softmax,
    sqrt,
    sub,
    sum,
    var,
    weighted,
}

pub use cross_entropy::CrossEntropyOptions;
pub use nll_loss::NllOptions;

/// The batch statistics that batch norm in training returns beside its output.
#[derive(Debug, Clone)]
pub struct NormStats {
    /// The mean of each channel, `[C]`.
    pub mean: crate::Tensor,
    /// The biased variance of each channel, `[C]`.
    pub var: crate::Tensor,
}
