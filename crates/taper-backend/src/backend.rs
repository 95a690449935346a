//! The [`Backend`] trait: the operations that a device computes, required and optional.

use crate::{
    Activation, AdamSpec, BinaryOp, Buffer, CompareOp, Conv2dSpec, CrossEntropySpec, DType, Distribution, HostData,
    PadAmount, ParamGrads, Pool2dSpec, RandomKey, ReduceOp, Result, Rim, Saved, SgdSpec, Shape, SliceRange, UnaryOp,
};
use std::fmt::Debug;

/// A device that computes tensor operations. With the required methods implemented, tensors, gradients and training
/// work; the optional fused methods (the rim) make them faster.
///
/// Callers have checked shapes and dtypes: an implementation may trust that operands have the same dtype, that shapes
/// fit as each method says, and that axes are in range. An implementation checks what only it can see: that a buffer is
/// its own, that it supports the dtype ([`crate::Error::Unsupported`]), that data-dependent indices are in range, that
/// memory suffices.
///
/// "Broadcast" means NumPy's rule. A method may return a view of its input wherever a view can describe the result.
pub trait Backend: Debug + Send + Sync + 'static {
    /// The device's name as users write it: `cpu`, `cuda:0`.
    fn name(&self) -> &str;

    /// The name, and the options that distinguish this device from others of the same name: `cpu (2 threads, avx2)`.
    fn description(&self) -> String {
        self.name().to_owned()
    }

    /// Whether this device can hold tensors of `dtype` at all.
    fn supports(&self, dtype: DType) -> bool;

    // ---- memory ----

    /// Copies row-major `data` of `shape.count()` elements from the host to the device.
    fn upload(&self, data: HostData, shape: &Shape) -> Result<Buffer>;

    /// Copies `x` to the host, in row-major order.
    fn download(&self, x: &Buffer) -> Result<HostData>;

    /// A buffer of `shape` whose elements are all `value`, which the dtype holds ([`DType::check_element`]).
    fn fill(&self, shape: &Shape, dtype: DType, value: f64) -> Result<Buffer>;

    /// Random numbers: element `i` in row-major order is [`Sampler::draw`](crate::Sampler::draw) of `i`, for the
    /// sampler that [`Distribution::sampler`] makes, rounded to the float `dtype`. Uniform numbers are in `low..high`
    /// after rounding too.
    fn random(&self, shape: &Shape, dtype: DType, distribution: Distribution, key: RandomKey) -> Result<Buffer>;

    /// Overwrites `target` with `source` (same shape and dtype): in place when no other handle shares `target`'s data,
    /// otherwise in new memory, so that the other handles keep the old values.
    fn assign(&self, target: &mut Buffer, source: &Buffer) -> Result<()>;

    /// `x` in another dtype; floats to integers truncate towards zero and saturate.
    fn cast(&self, x: &Buffer, dtype: DType) -> Result<Buffer>;

    // ---- views ----

    /// The same elements in row-major order under another shape of as many elements.
    fn reshape(&self, x: &Buffer, shape: &Shape) -> Result<Buffer>;

    /// Dimension `i` of the result is dimension `axes[i]` of `x`.
    fn permute(&self, x: &Buffer, axes: &[usize]) -> Result<Buffer>;

    /// `x` broadcast to `shape`.
    fn broadcast(&self, x: &Buffer, shape: &Shape) -> Result<Buffer>;

    /// The elements of `x` in the given range of each dimension.
    fn slice(&self, x: &Buffer, ranges: &[SliceRange]) -> Result<Buffer>;

    /// `x` padded around and between its elements with `value`, which its dtype holds ([`DType::check_element`]).
    fn pad(&self, x: &Buffer, amounts: &[PadAmount], value: f64) -> Result<Buffer>;

    /// `parts` (at least one) concatenated along `axis`.
    fn concat(&self, parts: &[&Buffer], axis: usize) -> Result<Buffer>;

    // ---- element by element ----

    /// `op(x)` for floats; `Neg`, `Abs` and `Sign` for i64 too.
    fn unary(&self, op: UnaryOp, x: &Buffer) -> Result<Buffer>;

    /// `op(a, b)`, broadcasting, for floats; all but `Pow` for i64 (wrapping; division by zero gives 0) too.
    fn binary(&self, op: BinaryOp, a: &Buffer, b: &Buffer) -> Result<Buffer>;

    /// `op(x, number)`, or `op(number, x)` with `number_first`, as [`Backend::binary`]: `number` is rounded to the type
    /// of the arithmetic, which for f16 and bf16 is f32. For an integer `x` the caller has checked that the dtype holds
    /// `number` ([`DType::check_operand`]).
    ///
    /// The default fills a buffer with `number`; a kernel is faster.
    fn binary_scalar(&self, op: BinaryOp, x: &Buffer, number: f64, number_first: bool) -> Result<Buffer> {
        if x.dtype().size() == 2 {
            let y = self.binary_scalar(op, &self.cast(x, DType::F32)?, number, number_first)?;
            return self.cast(&y, x.dtype());
        }
        let number = self.fill(&Shape::scalar(), x.dtype(), number)?;
        if number_first { self.binary(op, &number, x) } else { self.binary(op, x, &number) }
    }

    /// `op(a, b)` as u8, broadcasting, for every dtype.
    fn compare(&self, op: CompareOp, a: &Buffer, b: &Buffer) -> Result<Buffer>;

    /// `op(x, number)` as u8, with `number` rounded to the dtype of `x`. For an integer `x` the caller has checked that
    /// the dtype holds `number` ([`DType::check_operand`]).
    ///
    /// The default fills a buffer with `number`; a kernel is faster.
    fn compare_scalar(&self, op: CompareOp, x: &Buffer, number: f64) -> Result<Buffer> {
        self.compare(op, x, &self.fill(&Shape::scalar(), x.dtype(), number)?)
    }

    /// `a` where `condition` (u8) is not 0, `b` elsewhere; all three broadcast.
    fn select(&self, condition: &Buffer, a: &Buffer, b: &Buffer) -> Result<Buffer>;

    // ---- reductions ----

    /// Reduces over `axes` (sorted, each once), which the result keeps with size 1. Floats and i64; f16 and bf16
    /// accumulate in f32.
    fn reduce(&self, op: ReduceOp, x: &Buffer, axes: &[usize]) -> Result<Buffer>;

    /// The index (i64) of the largest element along `axis`, which the result keeps with size 1: of equal elements the
    /// first; a NaN counts as largest.
    fn argmax(&self, x: &Buffer, axis: usize) -> Result<Buffer>;

    /// The order of the elements along `axis`, as indices (i64, of `x`'s shape) into it: ascending, or descending. Equal
    /// elements keep their order in both; a NaN counts as largest, and equal to another NaN.
    ///
    /// The default sorts on the host, which waits for the device; a kernel is faster.
    fn argsort(&self, x: &Buffer, axis: usize, descending: bool) -> Result<Buffer> {
        let order = crate::sort::order(&self.download(x)?, x.shape(), axis, descending);
        self.upload(HostData::I64(order), x.shape())
    }

    // ---- products ----

    /// The matrix product `[…, m, k] × […, k, n]`, same leading dimensions. With `transpose_a`, `a` is `[…, k, m]`;
    /// with `transpose_b`, `b` is `[…, n, k]`.
    fn matmul(&self, a: &Buffer, b: &Buffer, transpose_a: bool, transpose_b: bool) -> Result<Buffer>;

    // ---- by index ----

    /// `y[…, i, …] = x[…, index[…, i, …], …]` along `axis`. `index` (i64) has `x`'s shape except along `axis`. An index
    /// out of range is an error.
    fn gather(&self, x: &Buffer, axis: usize, index: &Buffer) -> Result<Buffer>;

    /// `x` with `source` added at `index` along `axis`: the adjoint of [`Backend::gather`]. `index` and `source` have the
    /// same shape. Equal indices add up in row-major order.
    fn scatter_add(&self, x: &Buffer, axis: usize, index: &Buffer, source: &Buffer) -> Result<Buffer>;

    // ---- windows ----

    /// Convolution of `x: [N, C_in, H, W]` with `weight: [C_out, C_in / groups, Kh, Kw]`.
    fn conv2d(&self, x: &Buffer, weight: &Buffer, spec: &Conv2dSpec) -> Result<Buffer>;

    /// The gradient of [`Backend::conv2d`] with respect to an input of `x_shape`, from `g`, the gradient of the output.
    fn conv2d_input_grad(&self, g: &Buffer, weight: &Buffer, spec: &Conv2dSpec, x_shape: &Shape) -> Result<Buffer>;

    /// The gradient of [`Backend::conv2d`] with respect to a weight of `weight_shape`, from `g`, the gradient of the
    /// output.
    fn conv2d_weight_grad(&self, x: &Buffer, g: &Buffer, spec: &Conv2dSpec, weight_shape: &Shape) -> Result<Buffer>;

    /// Max pooling of `x: [N, C, H, W]`: the maxima, and the position of each as an index (i64) into its `H · W` plane.
    /// Of equal elements the first is taken; a NaN counts as largest; padding is never taken.
    fn max_pool2d(&self, x: &Buffer, spec: &Pool2dSpec) -> Result<(Buffer, Buffer)>;

    /// Average pooling of `x: [N, C, H, W]`.
    fn avg_pool2d(&self, x: &Buffer, spec: &Pool2dSpec) -> Result<Buffer>;

    /// The gradient of [`Backend::avg_pool2d`] with respect to an input of `x_shape`, from `g`, the gradient of the
    /// output.
    fn avg_pool2d_grad(&self, g: &Buffer, spec: &Pool2dSpec, x_shape: &Shape) -> Result<Buffer>;

    // ---- the rim: optional fused methods; `None` means that callers compose the operation from the methods above ----

    /// `f(x)`, element by element.
    fn activation(&self, _f: Activation, _x: &Buffer) -> Rim<Buffer> {
        Ok(None)
    }

    /// `g · f′(x)`, element by element, from `g`, the gradient of the output.
    fn activation_grad(&self, _f: Activation, _x: &Buffer, _g: &Buffer) -> Rim<Buffer> {
        Ok(None)
    }

    /// `f(x weightᵀ + bias)` for `x: [N, in]`, `weight: [out, in]`, `bias: [out]`.
    fn linear(&self, _x: &Buffer, _weight: &Buffer, _bias: Option<&Buffer>, _f: Activation) -> Rim<(Buffer, Saved)> {
        Ok(None)
    }

    /// The gradients of [`Backend::linear`]. `needs` says which of input, weight and bias need one. `saved` is what
    /// `linear` returned.
    fn linear_grad(
        &self,
        _g: &Buffer,
        _saved: &Saved,
        _x: &Buffer,
        _weight: &Buffer,
        _f: Activation,
        _needs: [bool; 3],
    ) -> Result<ParamGrads> {
        Err(no_forward("linear_grad"))
    }

    /// `pool(f(conv2d(x, weight) + bias))`; `pool` is max pooling, or nothing where it is `None`.
    fn conv2d_block(
        &self,
        _x: &Buffer,
        _weight: &Buffer,
        _bias: Option<&Buffer>,
        _spec: &Conv2dSpec,
        _f: Activation,
        _pool: Option<&Pool2dSpec>,
    ) -> Rim<(Buffer, Saved)> {
        Ok(None)
    }

    /// The gradients of [`Backend::conv2d_block`]. `needs` says which of input, weight and bias need one. `saved` is
    /// what `conv2d_block` returned.
    fn conv2d_block_grad(
        &self,
        _g: &Buffer,
        _saved: &Saved,
        _x: &Buffer,
        _weight: &Buffer,
        _spec: &Conv2dSpec,
        _needs: [bool; 3],
    ) -> Result<ParamGrads> {
        Err(no_forward("conv2d_block_grad"))
    }

    /// Max pooling that saves the positions of the maxima for its gradient, in a format of the backend's own.
    fn max_pool2d_saved(&self, _x: &Buffer, _spec: &Pool2dSpec) -> Rim<(Buffer, Saved)> {
        Ok(None)
    }

    /// The gradient of [`Backend::max_pool2d_saved`] with respect to an input of `x_shape`.
    fn max_pool2d_grad(&self, _g: &Buffer, _saved: &Saved, _spec: &Pool2dSpec, _x_shape: &Shape) -> Result<Buffer> {
        Err(no_forward("max_pool2d_grad"))
    }

    /// Softmax along `axis`, or with `log` its logarithm.
    fn softmax(&self, _x: &Buffer, _axis: usize, _log: bool) -> Rim<Buffer> {
        Ok(None)
    }

    /// The gradient of [`Backend::softmax`] with respect to its input, from its output `y` and the gradient `g` of
    /// that.
    fn softmax_grad(&self, _g: &Buffer, _y: &Buffer, _axis: usize, _log: bool) -> Rim<Buffer> {
        Ok(None)
    }

    /// Mean cross entropy (a scalar) of `logits: [N, C]` with classes `target: [N]` (i64, each in `0..C` or the ignored
    /// index; anything else is an error).
    fn cross_entropy(&self, _logits: &Buffer, _target: &Buffer, _spec: &CrossEntropySpec) -> Rim<(Buffer, Saved)> {
        Ok(None)
    }

    /// The gradient of [`Backend::cross_entropy`] with respect to the logits, for `g`, the scalar gradient of the loss.
    fn cross_entropy_grad(&self, _g: &Buffer, _saved: &Saved) -> Result<Buffer> {
        Err(no_forward("cross_entropy_grad"))
    }

    /// Layer norm over the last `dims` dimensions, with optional weight and bias of the shape of those dimensions.
    fn layer_norm(
        &self,
        _x: &Buffer,
        _weight: Option<&Buffer>,
        _bias: Option<&Buffer>,
        _dims: usize,
        _eps: f64,
    ) -> Rim<(Buffer, Saved)> {
        Ok(None)
    }

    /// The gradients of [`Backend::layer_norm`]. `needs` says which of input, weight and bias need one.
    fn layer_norm_grad(
        &self,
        _g: &Buffer,
        _saved: &Saved,
        _x: &Buffer,
        _weight: Option<&Buffer>,
        _dims: usize,
        _needs: [bool; 3],
    ) -> Result<ParamGrads> {
        Err(no_forward("layer_norm_grad"))
    }

    /// Batch norm in training, first half, for `x: [N, C, …]`: each channel's mean and biased variance (each `[C]`),
    /// and what [`Backend::batch_norm_block`] reads. A backend that offers this method implements `batch_norm_block`
    /// and [`Backend::batch_norm_block_grad`] too.
    fn batch_norm_stats(&self, _x: &Buffer, _eps: f64) -> Rim<(Buffer, Buffer, Saved)> {
        Ok(None)
    }

    /// Batch norm in training, second half, fused with an addition and an activation:
    /// `f((x − mean) / √(variance + eps) · weight + bias + residual)` with optional weight and bias `[C]` and optional
    /// `residual` of `x`'s shape. `saved` is what `batch_norm_stats` returned for `x`.
    fn batch_norm_block(
        &self,
        _x: &Buffer,
        _saved: &Saved,
        _weight: Option<&Buffer>,
        _bias: Option<&Buffer>,
        _residual: Option<&Buffer>,
        _f: Activation,
    ) -> Result<Buffer> {
        Err(no_forward("batch_norm_block"))
    }

    /// The gradients of both halves of batch norm together. `needs` says which of input, weight, bias and residual need
    /// one.
    #[allow(clippy::too_many_arguments)] // the forward's arguments, and three more
    fn batch_norm_block_grad(
        &self,
        _g: &Buffer,
        _saved: &Saved,
        _x: &Buffer,
        _weight: Option<&Buffer>,
        _bias: Option<&Buffer>,
        _residual: Option<&Buffer>,
        _f: Activation,
        _needs: [bool; 4],
    ) -> Result<ParamGrads> {
        Err(no_forward("batch_norm_block_grad"))
    }

    /// Batch norm in training as one method, for a backend without the two halves: `x: [N, C, …]` with optional weight
    /// and bias `[C]` gives the output, and the batch's mean and biased variance (each `[C]`).
    fn batch_norm(
        &self,
        _x: &Buffer,
        _weight: Option<&Buffer>,
        _bias: Option<&Buffer>,
        _eps: f64,
    ) -> Rim<(Buffer, Buffer, Buffer, Saved)> {
        Ok(None)
    }

    /// The gradients of [`Backend::batch_norm`]. `needs` says which of input, weight and bias need one.
    fn batch_norm_grad(
        &self,
        _g: &Buffer,
        _saved: &Saved,
        _x: &Buffer,
        _weight: Option<&Buffer>,
        _needs: [bool; 3],
    ) -> Result<ParamGrads> {
        Err(no_forward("batch_norm_grad"))
    }

    /// Dropout: element `i` in row-major order is `x / (1 − p)` where `key.word(i) ≥ p · 2³²`, 0 elsewhere, for `p`
    /// from 0 up to but not 1. The gradient is this method applied to the gradient of the output.
    fn dropout(&self, _x: &Buffer, _p: f64, _key: RandomKey) -> Rim<Buffer> {
        Ok(None)
    }

    /// Embedding: rows `index` (i64, any shape) of `weight: [rows, width]`, as `[…, width]`.
    fn embedding(&self, _weight: &Buffer, _index: &Buffer) -> Rim<Buffer> {
        Ok(None)
    }

    /// The gradient of [`Backend::embedding`] with respect to a weight of `rows` rows.
    fn embedding_grad(&self, _g: &Buffer, _index: &Buffer, _rows: usize) -> Rim<Buffer> {
        Ok(None)
    }

    /// [`Backend::assign`] if `apply`, a u8 scalar, is not 0; if it is 0, nothing changes.
    fn assign_where(&self, _target: &mut Buffer, _source: &Buffer, _apply: &Buffer) -> Rim<()> {
        Ok(None)
    }

    /// The Euclidean norm √Σx² over all elements of a float `x`, as an f64 scalar. Squares are exact, or scaled so that
    /// they neither overflow nor underflow. NaN if an element is NaN, else ∞ if one is infinite.
    fn norm(&self, _x: &Buffer) -> Rim<Buffer> {
        Ok(None)
    }

    /// 1 (a u8 scalar) when every element of every buffer is finite, else 0.
    fn all_finite(&self, _buffers: &[&Buffer]) -> Rim<Buffer> {
        Ok(None)
    }

    /// One step of Adam, on the parameter `p` and its moments `m` and `v`, each in place when not shared. `taken` is an
    /// i64 scalar, the number of steps taken before this one. `apply` is a u8 scalar; if it is 0, nothing changes. Both
    /// are buffers on the device, so that a step needs no transfer to the host.
    #[allow(clippy::too_many_arguments)] // three buffers that change, the gradient, two flags and the parameters
    fn adam_step(
        &self,
        _p: &mut Buffer,
        _m: &mut Buffer,
        _v: &mut Buffer,
        _g: &Buffer,
        _taken: &Buffer,
        _apply: Option<&Buffer>,
        _spec: &AdamSpec,
    ) -> Rim<()> {
        Ok(None)
    }

    /// One step of SGD on the parameter `p`, and on its velocity when the momentum is not 0. `taken` and `apply` are
    /// those of [`Backend::adam_step`].
    fn sgd_step(
        &self,
        _p: &mut Buffer,
        _velocity: Option<&mut Buffer>,
        _g: &Buffer,
        _taken: &Buffer,
        _apply: Option<&Buffer>,
        _spec: &SgdSpec,
    ) -> Rim<()> {
        Ok(None)
    }
}

fn no_forward(op: &'static str) -> crate::Error {
    crate::Error::argument(op, "called on a backend that does not offer the forward")
}
