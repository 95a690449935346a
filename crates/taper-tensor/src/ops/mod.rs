//! Every differentiable operation, one file each: forward, backward rule and gradient-check cases side by side.
//!
//! A new operation is a new file with a `cases()` function, and one line below.

use crate::gradcheck::Case;

mod shorthand;

macro_rules! operations {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*

        /// The name of each operation file with the cases that it is checked on.
        pub(crate) fn registry() -> Vec<(&'static str, Vec<Case>)> {
            vec![$((stringify!($name), $name::cases())),*]
        }
    };
}

operations! {
    abs,
    activation,
    add,
    broadcast_to,
    cast,
    compare,
    conv2d,
    cos,
    div,
    erf,
    exp,
    floor,
    gather,
    linear,
    log,
    log1p,
    matmul,
    max_pool2d,
    maximum,
    minimum,
    mul,
    neg,
    permute,
    recip,
    reshape,
    scatter_add,
    select,
    sign,
    sin,
    sqrt,
    sub,
    sum,
}

/// The batch statistics that batch norm in training returns beside its output.
#[derive(Debug, Clone)]
pub struct NormStats {
    /// The mean of each channel, `[C]`.
    pub mean: crate::Tensor,
    /// The biased variance of each channel, `[C]`.
    pub var: crate::Tensor,
}
