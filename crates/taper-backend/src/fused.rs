//! The parameters and results of the contract's optional rim.

use crate::{Buffer, Result};

/// What a method of the rim returns: `Ok(None)` when the backend leaves it to the composed version.
pub type Rim<T> = Result<Option<T>>;

/// The gradients of a layer's input, weight and bias, and of what is added behind them, each only if it was asked for.
#[derive(Debug, Default)]
pub struct ParamGrads {
    /// With respect to the input.
    pub x: Option<Buffer>,
    /// With respect to the weight.
    pub weight: Option<Buffer>,
    /// With respect to the bias.
    pub bias: Option<Buffer>,
    /// With respect to the residual, where the layer has one.
    pub residual: Option<Buffer>,
}

/// How the losses of a batch become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Reduction {
    /// The mean; with class weights, the weighted mean, as in PyTorch.
    #[default]
    Mean,
    /// The sum.
    Sum,
    /// One loss for each element.
    None,
}

/// The parameters of plain cross entropy over class indices. Class weights and reductions other than the mean are composed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrossEntropySpec {
    /// Share of the target spread evenly over all classes, 0 to 1.
    pub label_smoothing: f64,
    /// Rows with this label count for nothing.
    pub ignore_index: i64,
}

/// One step of Adam (Kingma and Ba 2015, algorithm 1) or, decoupled, AdamW (Loshchilov and Hutter 2019).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamSpec {
    /// The learning rate.
    pub lr: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Whether decay shrinks the weights directly (AdamW) or joins the gradient (Adam).
    pub decoupled: bool,
}

/// One step of SGD with momentum, as PyTorch defines it: in the first, the velocity starts as the gradient itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdSpec {
    /// The learning rate.
    pub lr: f64,
    /// Decay of the velocity; 0 for none.
    pub momentum: f64,
    /// How much of the gradient is held back from the velocity.
    pub dampening: f64,
    /// Weight decay, joined to the gradient.
    pub weight_decay: f64,
    /// Nesterov's look-ahead.
    pub nesterov: bool,
}
