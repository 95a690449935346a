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

/// The cell of a recurrent layer: how a step's hidden state h′ follows from its input x and the state h before it. σ is the
/// sigmoid, ⊙ the product of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecurrentCell {
    /// h′ = tanh(W_i x + b_i + W_h h + b_h) (Elman 1990).
    Tanh,
    /// h′ = relu(W_i x + b_i + W_h h + b_h).
    Relu,
    /// Long short-term memory (Hochreiter and Schmidhuber 1997, with the forget gate of Gers, Schmidhuber and Cummins
    /// 2000): i, f, o = σ(…), g = tanh(…), each of W_i x + b_i + W_h h + b_h; c′ = f ⊙ c + i ⊙ g, h′ = o ⊙ tanh(c′). The rows of
    /// the weights are in the order i, f, g, o.
    Lstm,
    /// The gated recurrent unit (Cho et al. 2014) with the reset gate after the product: r, z = σ(W_i x + b_i + W_h h + b_h),
    /// n = tanh(W_i x + b_i + r ⊙ (W_h h + b_h)), h′ = (1 − z) ⊙ n + z ⊙ h. The rows of the weights are in the order r, z, n.
    Gru,
}

impl RecurrentCell {
    /// The number of gates: the weights have this many rows for each hidden unit.
    pub fn gates(self) -> usize {
        match self {
            Self::Tanh | Self::Relu => 1,
            Self::Gru => 3,
            Self::Lstm => 4,
        }
    }

    /// The number of states, h and for LSTM c.
    pub fn states(self) -> usize {
        if self == Self::Lstm { 2 } else { 1 }
    }

    /// The layer's name: `rnn`, `lstm`, `gru`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tanh | Self::Relu => "rnn",
            Self::Lstm => "lstm",
            Self::Gru => "gru",
        }
    }
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
