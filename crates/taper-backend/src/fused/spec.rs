//! The parameters of fused operations and of the optimisers' steps.

/// How the losses of a batch are reduced to one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Reduction {
    /// The mean; with class weights, the weighted mean, as in PyTorch.
    #[default]
    Mean,
    /// The sum.
    Sum,
    /// No reduction: one loss for each row or element.
    None,
}

/// The parameters of fused cross entropy over class indices, reduced to the mean. Class weights and other reductions
/// are composed from required methods.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrossEntropySpec {
    /// Label smoothing: the share of the target spread evenly over all classes, 0 to 1.
    pub label_smoothing: f64,
    /// Rows with this label are ignored: they have no loss and no gradient, and do not count in the mean.
    pub ignore_index: i64,
}

/// The parameters of a step of Adam (Kingma and Ba 2015, algorithm 1) or, with `decoupled`, AdamW (Loshchilov and
/// Hutter 2019).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamSpec {
    /// The learning rate.
    pub lr: f64,
    /// Decay rate of the first moment, in [0, 1).
    pub beta1: f64,
    /// Decay rate of the second moment, in [0, 1).
    pub beta2: f64,
    /// Added to the square root of the bias-corrected second moment.
    pub eps: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Whether weight decay shrinks the weights directly (AdamW) or is added to the gradient (Adam).
    pub decoupled: bool,
}

/// The parameters of a step of SGD with momentum, as PyTorch defines it: the first step sets the velocity to the
/// gradient, without dampening.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdSpec {
    /// The learning rate.
    pub lr: f64,
    /// Momentum: the decay rate of the velocity; 0 for no momentum.
    pub momentum: f64,
    /// Dampening: each step adds 1 − `dampening` of the gradient to the velocity.
    pub dampening: f64,
    /// Weight decay, added to the gradient.
    pub weight_decay: f64,
    /// Whether to use Nesterov momentum.
    pub nesterov: bool,
}
