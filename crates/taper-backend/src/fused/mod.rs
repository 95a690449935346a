//! Fused operations as data: one enum, which backends compute, and observers, profiles and tests read.
//!
//! To add one, declare it here; if it contains products, add it to [`FusedOp::flop`].

mod declare;
mod spec;
#[cfg(test)]
mod tests;

pub use spec::{AdamSpec, CrossEntropySpec, RecurrentCell, Reduction, SgdSpec};

use crate::{Activation, Buffer, Conv2dSpec, Pool2dSpec, RandomKey, Result, Saved};
use declare::{Attribute, fused_ops};

/// The result of an optional method: `Ok(None)` when the backend has no kernel for it, so that the caller composes the
/// operation from required methods.
pub type Rim<T> = Result<Option<T>>;

/// The result of a fused operation.
#[derive(Debug)]
pub struct FusedOutput {
    /// The output through which gradients flow.
    pub y: Buffer,
    /// Further outputs, without gradients; most operations have none.
    pub more: Vec<Buffer>,
    /// What the gradient needs beside the operands. Only the backend that made it reads it.
    pub saved: Saved,
}

impl FusedOutput {
    /// The output `y`, and what the gradient needs beside the operands.
    pub fn new(y: Buffer, saved: Saved) -> Self {
        Self { y, more: Vec::new(), saved }
    }
}

/// The output of an operation whose gradient needs nothing but the operands.
impl From<Buffer> for FusedOutput {
    fn from(y: Buffer) -> Self {
        Self::new(y, Saved::nothing())
    }
}

fused_ops! {
    /// f(x), element by element. It saves nothing: its gradient, g · f′(x), may be asked for without the forward.
    Activation = "activation" {
        operands {
            /// A float tensor.
            x: &'a Buffer,
        }
        attributes {
            /// The function.
            f: Activation,
        }
    }

    /// A linear layer and an activation: f(x weightᵀ + bias). A backend that computes it computes its gradient too.
    Linear = "linear" {
        operands {
            /// The input, `[N, in]`.
            x: &'a Buffer,
            /// The weight, `[out, in]`.
            weight: &'a Buffer,
            /// The bias, `[out]`.
            bias: Option<&'a Buffer> as shape,
        }
        attributes {
            /// The activation.
            f: Activation,
        }
    }

    /// Convolution, activation and max pooling: pool(f(conv2d(x, weight) + bias)). A backend that computes it computes
    /// its gradient too.
    Conv2dBlock = "conv2d_block" {
        operands {
            /// The input, `[N, C_in, H, W]`.
            x: &'a Buffer,
            /// The weight, `[C_out, C_in / groups, Kh, Kw]`.
            weight: &'a Buffer,
            /// The bias, `[C_out]`.
            bias: Option<&'a Buffer> as shape,
        }
        attributes {
            /// The convolution's parameters.
            spec: Conv2dSpec,
            /// The activation.
            f: Activation,
            /// The max pooling after the activation, or `None` for none.
            pool: Option<Pool2dSpec>,
        }
    }

    /// Max pooling, as [`Backend::max_pool2d`](crate::Backend::max_pool2d). It saves the positions of the maxima.
    MaxPool2d = "max_pool2d" {
        operands {
            /// The input, `[N, C, H, W]`.
            x: &'a Buffer as shape,
        }
        attributes {
            /// The pooling's parameters.
            spec: Pool2dSpec,
        }
    }

    /// Softmax along an axis, or its logarithm.
    Softmax = "softmax" {
        operands {
            /// A float tensor. (The gradient reads the output, which is of the same size.)
            x: &'a Buffer,
        }
        attributes {
            /// The axis, which is not empty.
            axis: usize,
            /// Whether the result is the logarithm of the softmax.
            log: bool,
        }
    }

    /// The mean cross entropy, a scalar, of logits with classes.
    CrossEntropy = "cross_entropy" {
        operands {
            /// The logits, `[N, C]`.
            logits: &'a Buffer as shape,
            /// The classes, i64 `[N]`: each in `0..C`, or the ignored index; anything else is an error. They have no
            /// gradient.
            target: &'a Buffer as shape,
        }
        attributes {
            /// Label smoothing and the ignored index.
            spec: CrossEntropySpec,
        }
    }

    /// Layer norm over the last dimensions: (x − μ) / √(σ² + ε) · weight + bias, with mean μ and biased variance σ².
    LayerNorm = "layer_norm" {
        operands {
            /// The input.
            x: &'a Buffer,
            /// The weight, of the shape of the last `dims` dimensions.
            weight: Option<&'a Buffer>,
            /// The bias, of the shape of the last `dims` dimensions.
            bias: Option<&'a Buffer> as shape,
        }
        attributes {
            /// The number of dimensions that are normalised over, at least 1.
            dims: usize,
            /// ε, added to the variance.
            eps: f64,
        }
    }

    /// RMS norm over the last dimensions (Zhang and Sennrich 2019): x / √(mean(x²) + ε) · weight.
    RmsNorm = "rms_norm" {
        operands {
            /// The input.
            x: &'a Buffer,
            /// The weight, of the shape of the last `dims` dimensions.
            weight: Option<&'a Buffer>,
        }
        attributes {
            /// The number of dimensions that are normalised over, at least 1.
            dims: usize,
            /// ε, added to the mean square.
            eps: f64,
        }
    }

    /// Scaled dot-product attention (Vaswani et al. 2017, section 3.2.1), of each head: softmax(scale · q kᵀ + mask) v. A row
    /// of which every key is hidden, by −∞ in the mask or by `causal`, is 0.
    Attention = "attention" {
        operands {
            /// The queries, `[N, H, T, D]`.
            q: &'a Buffer,
            /// The keys, `[N, H, S, D]`.
            k: &'a Buffer,
            /// The values, `[N, H, S, Dv]`.
            v: &'a Buffer,
            /// What is added to the scores, `[N, H, T, S]` (often a broadcast view).
            mask: Option<&'a Buffer>,
        }
        attributes {
            /// Whether a query sees no key after its own position. The queries are the last T of S positions: query i
            /// sees the keys 0 to i + S − T.
            causal: bool,
            /// The factor of the scores, usually 1 / √D.
            scale: f64,
        }
    }

    /// Batch norm in training, first half: each channel's mean and biased variance, each `[C]`; the variance is the
    /// second output. What it saves, the second half reads. A backend that computes it computes `BatchNormBlock` and
    /// that one's gradient too. It has no gradient of its own.
    BatchNormStats = "batch_norm_stats" {
        operands {
            /// The input, `[N, C, …]`.
            x: &'a Buffer,
        }
        attributes {
            /// ε, added to the variance.
            eps: f64,
        }
    }

    /// Batch norm in training, second half, fused with an addition and an activation:
    /// f((x − μ) / √(σ² + ε) · weight + bias + residual). The gradient is that of both halves. It saves nothing: the
    /// gradient may be asked for without the forward.
    BatchNormBlock = "batch_norm_block" {
        operands {
            /// The input, `[N, C, …]`.
            x: &'a Buffer,
            /// The weight, `[C]`.
            weight: Option<&'a Buffer>,
            /// The bias, `[C]`.
            bias: Option<&'a Buffer>,
            /// What is added before the activation, of the input's shape.
            residual: Option<&'a Buffer>,
        }
        attributes {
            /// What `BatchNormStats` saved for `x`.
            stats: &'a Saved,
            /// The activation.
            f: Activation,
        }
    }

    /// Batch norm in training as one operation, for a backend without the two halves:
    /// (x − μ) / √(σ² + ε) · weight + bias. Further outputs are each channel's mean and biased variance, each `[C]`.
    BatchNorm = "batch_norm" {
        operands {
            /// The input, `[N, C, …]`.
            x: &'a Buffer,
            /// The weight, `[C]`.
            weight: Option<&'a Buffer>,
            /// The bias, `[C]`.
            bias: Option<&'a Buffer> as shape,
        }
        attributes {
            /// ε, added to the variance.
            eps: f64,
        }
    }

    /// Dropout: element `i` in row-major order is `x / (1 − p)` where `key.word(i) ≥ p · 2³²`, 0 elsewhere. The gradient
    /// is the same operation on the gradient of the output, which callers may use in its place.
    Dropout = "dropout" {
        operands {
            /// A float tensor.
            x: &'a Buffer as shape,
        }
        attributes {
            /// The probability that an element is set to 0; below 1.
            p: f64,
            /// The key of the random numbers.
            key: RandomKey,
        }
    }

    /// Embedding: the rows of a table that are chosen by index, `[…, width]`. It saves nothing: its gradient may be asked
    /// for without the forward.
    Embedding = "embedding" {
        operands {
            /// The table, `[rows, width]`.
            weight: &'a Buffer as shape,
            /// The indices, i64 of any shape, each in `0..rows`; anything else is an error. They have no gradient.
            index: &'a Buffer,
        }
        attributes {}
    }

    /// One direction of a recurrent layer over all steps. Its output has a row for each step, the hidden state after it,
    /// and then the last state of each sample: h, and for LSTM c; `[T + states, N, H]`.
    ///
    /// With lengths, the steps of a sample from its length on are padding: they leave its state as it is, and their
    /// output is 0. Their inputs are 0 (the caller sees to it), so that they add nothing to the weights' gradients.
    Recurrent = "recurrent" {
        operands {
            /// The input, `[T, N, input]`, T at least 1.
            x: &'a Buffer,
            /// The weight of the input, W_i, `[gates · H, input]`.
            weight_ih: &'a Buffer,
            /// The weight of the state, W_h, `[gates · H, H]`.
            weight_hh: &'a Buffer,
            /// The bias b_i, `[gates · H]`.
            bias_ih: Option<&'a Buffer> as shape,
            /// The bias b_h, `[gates · H]`; there are both biases or none.
            bias_hh: Option<&'a Buffer> as shape,
            /// The state h before the first step, `[N, H]`; 0 where absent.
            h_0: Option<&'a Buffer>,
            /// The state c before the first step, `[N, H]`, for LSTM alone, where it is present as h is.
            c_0: Option<&'a Buffer>,
            /// The number of steps of each sample, i64 `[N]`, each in `1..=T`; T where absent. They have no gradient.
            lengths: Option<&'a Buffer>,
        }
        attributes {
            /// The cell.
            cell: RecurrentCell,
            /// Whether the steps are taken from the last to the first; with lengths, from each sample's own last step.
            reverse: bool,
        }
    }
}

impl<'a> FusedOp<'a> {
    /// The number of operands that are present.
    pub fn operand_count(&self) -> usize {
        let mut count = 0;
        self.each_operand(&mut |operand, _| count += usize::from(operand.is_some()));
        count
    }

    /// The operands that are present, in order.
    pub fn operands(&self) -> Vec<&'a Buffer> {
        let mut operands = Vec::with_capacity(Self::MOST_OPERANDS);
        self.each_operand(&mut |operand, _| operands.extend(operand));
        operands
    }

    /// The operands that are present and whose values the operation's gradient reads, in order.
    pub fn grad_operands(&self) -> Vec<&'a Buffer> {
        let mut operands = Vec::with_capacity(Self::MOST_OPERANDS);
        self.each_operand(&mut |operand, read| operands.extend(operand.filter(|_| read)));
        operands
    }

    /// `needs`, which has an entry for each operand that is present, with one for every operand: `false` for an absent
    /// one.
    pub fn spread<const N: usize>(&self, needs: &[bool]) -> [bool; N] {
        let (mut spread, mut operand, mut needs) = ([false; N], 0, needs.iter().copied());
        self.each_operand(&mut |present, _| {
            if let (Some(_), Some(spread)) = (present, spread.get_mut(operand)) {
                *spread = needs.next().unwrap_or(false);
            }
            operand += 1;
        });
        spread
    }

    /// Those of `gradients`, one for every operand, whose operands are present: the result of
    /// [`Backend::fused_grad`](crate::Backend::fused_grad).
    pub fn gathered<const N: usize>(&self, gradients: [Option<Buffer>; N]) -> Vec<Option<Buffer>> {
        let (mut present, mut gradients) = (Vec::with_capacity(N), gradients.into_iter());
        self.each_operand(&mut |operand, _| {
            let gradient = gradients.next().flatten();
            if operand.is_some() {
                present.push(gradient);
            }
        });
        present
    }

    /// Whether a backend that computes the operation computes its gradient too: a following operation may be fused with
    /// it, and the tape has no other rule for the two together.
    pub fn requires_grad(&self) -> bool {
        matches!(self, Self::Linear { .. } | Self::Conv2dBlock { .. } | Self::BatchNormBlock { .. })
    }

    /// The floating-point operations of the products in the operation, two for each multiply-add, taps on padding
    /// included. `None` for an operation without products, whose FLOP follow from its shapes; 0 for one that only moves
    /// elements.
    pub fn flop(&self) -> Option<u64> {
        match self {
            Self::Linear { x, weight, .. } => Some(2 * x.count() as u64 * weight.shape()[0] as u64),
            // The result may be pooled: the FLOP follow from the convolution's own output, which is larger. Each element
            // of it is a sum over a row of the weight.
            Self::Conv2dBlock { x, weight, spec, .. } => {
                let y = spec.output_shape(x.shape(), weight.shape()).ok()?;
                Some(2 * y.count() as u64 * weight.shape()[1..].iter().map(|&size| size as u64).product::<u64>())
            }
            Self::Attention { q, k, v, causal, .. } => {
                let (width, of_values) = (q.shape()[3] as u64, v.shape()[3] as u64);
                Some(2 * pairs(q, k, *causal) * (width + of_values))
            }
            Self::Embedding { .. } => Some(0),
            Self::Recurrent { x, weight_ih, weight_hh, .. } => {
                Some(2 * rows(x) * (weight_ih.count() + weight_hh.count()) as u64)
            }
            _ => None,
        }
    }

    /// The floating-point operations of the products in the operation's gradients: those of the input and of the weight
    /// each cost as much as the forward. `None` as for [`FusedOp::flop`].
    pub fn grad_flop(&self, needs: &[bool]) -> Option<u64> {
        if let Self::Recurrent { x, weight_ih, weight_hh, .. } = self {
            // Each step's gradient takes the product with W_h; the weights' gradients and the input's are products of
            // their own.
            let [need_x, need_ih, need_hh] = [0, 1, 2].map(|i| u64::from(needs.get(i).copied().unwrap_or(false)));
            let of_input = (need_x + need_ih) * weight_ih.count() as u64;
            return Some(2 * rows(x) * (of_input + (1 + need_hh) * weight_hh.count() as u64));
        }
        if let Self::Attention { q, k, v, causal, .. } = self {
            // The scores again and the weights' gradients, then a product for each gradient.
            let [of_q, of_k, of_v, _] = self.spread(needs);
            let (width, of_values) = (q.shape()[3] as u64, v.shape()[3] as u64);
            let sizes = [(true, width), (of_q || of_k, of_values), (of_q, width), (of_k, width), (of_v, of_values)];
            let terms: u64 = sizes.into_iter().filter(|(needed, _)| *needed).map(|(_, size)| size).sum();
            return Some(2 * pairs(q, k, *causal) * terms);
        }
        let forward = self.flop().filter(|&flop| flop > 0)?;
        Some(forward * needs.iter().take(2).filter(|&&need| need).count() as u64)
    }
}

/// The rows of an input `[T, N, input]`.
fn rows(x: &Buffer) -> u64 {
    x.shape().iter().take(2).map(|&size| size as u64).product()
}

/// The pairs of a query and a key that it sees, over all samples and heads.
fn pairs(q: &Buffer, k: &Buffer, causal: bool) -> u64 {
    let (rows, keys) = (q.shape()[2], k.shape()[2]);
    let seen = |row: usize| if causal { (row + 1 + keys).saturating_sub(rows) } else { keys };
    let of_head: u64 = (0..rows).map(|row| seen(row) as u64).sum();
    of_head * q.shape()[0] as u64 * q.shape()[1] as u64
}
