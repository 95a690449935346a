//! The contract, on one page.

use crate::{
    Activation, AdamSpec, BinaryOp, Buffer, CompareOp, Conv2dSpec, CrossEntropySpec, DType, Distribution, HostData,
    PadAmount, ParamGrads, Pool2dSpec, RandomKey, ReduceOp, Result, Rim, Saved, SgdSpec, Shape, SliceRange, UnaryOp,
};
use std::fmt::Debug;

/// What computes. Implement the required methods and everything above works; override methods of the rim to be fast.
///
/// Callers have checked shapes and dtypes: an implementation may trust that operands have the same dtype, that shapes
/// fit as each method says, and that axes are in range. What it must check is what only it can see: that a buffer is
/// its own, that a dtype is offered ([`crate::Error::Unsupported`]), that data-dependent indices are in range, that
/// memory suffices.
///
/// "Broadcast" means NumPy's rule. A backend may return views wherever a result is described by one.
pub trait Backend: Debug + Send + Sync + 'static {
    /// The device's name as users write it: `cpu`, `cuda:0`.
    fn name(&self) -> &str;

    /// The name, and what tells this device from others of that name: `cpu (2 threads, avx2)`.
    fn description(&self) -> String {
        self.name().to_owned()
    }

    /// Whether tensors of `dtype` can be made here at all.
    fn supports(&self, dtype: DType) -> bool;

    // ---- memory ----

    /// Moves row-major `data` of `shape.count()` elements to the device.
    fn upload(&self, data: HostData, shape: &Shape) -> Result<Buffer>;

    /// Moves `x` to the host, in row-major order.
    fn download(&self, x: &Buffer) -> Result<HostData>;

    /// A buffer with `value`, which the dtype holds ([`DType::check_element`]), everywhere.
    fn fill(&self, shape: &Shape, dtype: DType, value: f64) -> Result<Buffer>;

    /// Random numbers: element `i` in row-major order is what [`Distribution::sampler`] draws for `i`, rounded to the float
    /// `dtype`. Uniform numbers are in `low..high` after rounding too.
    fn random(&self, shape: &Shape, dtype: DType, distribution: Distribution, key: RandomKey) -> Result<Buffer>;

    /// Overwrites `target` with `source` (same shape and dtype): in place when nothing else shares `target`'s data,
    /// otherwise into fresh memory, so that what shares it keeps the old values.
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

    /// A range of each dimension.
    fn slice(&self, x: &Buffer, ranges: &[SliceRange]) -> Result<Buffer>;

    /// `x` with `value`, which its dtype holds ([`DType::check_element`]), put around and between its elements.
    fn pad(&self, x: &Buffer, amounts: &[PadAmount], value: f64) -> Result<Buffer>;

    /// `parts` (at least one) joined along `axis`.
    fn concat(&self, parts: &[&Buffer], axis: usize) -> Result<Buffer>;

    // ---- element by element ----

    /// `op(x)` for floats; `Neg`, `Abs` and `Sign` for i64 too.
    fn unary(&self, op: UnaryOp, x: &Buffer) -> Result<Buffer>;

    /// `op(a, b)`, broadcasting, for floats; all but `Pow` for i64 (wrapping; division by zero gives 0) too.
    fn binary(&self, op: BinaryOp, a: &Buffer, b: &Buffer) -> Result<Buffer>;

    /// `op(x, number)`, or `op(number, x)` with `number_first`, as [`Backend::binary`]: `number` is rounded to the type that
    /// is computed in, which for halves is f32. Integers get one that they hold ([`DType::check_operand`]).
    ///
    /// This one fills a buffer; a backend with a kernel is faster.
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

    /// `op(x, number)` as u8, with `number` rounded to the dtype of `x`. Integers get one that they hold
    /// ([`DType::check_operand`]).
    ///
    /// This one fills a buffer; a backend with a kernel is faster.
    fn compare_scalar(&self, op: CompareOp, x: &Buffer, number: f64) -> Result<Buffer> {
        self.compare(op, x, &self.fill(&Shape::scalar(), x.dtype(), number)?)
    }

    /// `a` where `condition` (u8) is not 0, `b` elsewhere; all three broadcast.
    fn select(&self, condition: &Buffer, a: &Buffer, b: &Buffer) -> Result<Buffer>;

    // ---- reductions ----

    /// Reduces over `axes` (sorted, each once), which stay with size 1. Floats and i64; halves accumulate in f32.
    fn reduce(&self, op: ReduceOp, x: &Buffer, axes: &[usize]) -> Result<Buffer>;

    /// The index (i64) of the largest element along `axis`, which stays with size 1: the first of equals; a NaN counts
    /// as largest.
    fn argmax(&self, x: &Buffer, axis: usize) -> Result<Buffer>;

    // ---- products ----

    /// `[…, m, k] × […, k, n]`, same leading dimensions. With `transpose_a`, `a` is `[…, k, m]`; with `transpose_b`, `b`
    /// is `[…, n, k]`.
    fn matmul(&self, a: &Buffer, b: &Buffer, transpose_a: bool, transpose_b: bool) -> Result<Buffer>;

    // ---- by index ----

    /// `y[…, i, …] = x[…, index[…, i, …], …]` along `axis`. `index` (i64) has `x`'s shape but for `axis`. An index out
    /// of range is an error.
    fn gather(&self, x: &Buffer, axis: usize, index: &Buffer) -> Result<Buffer>;

    /// `x` with `source` added at `index` along `axis`: the adjoint of [`Backend::gather`]. `index` and `source` have the
    /// same shape. Equal indices add up in row-major order.
    fn scatter_add(&self, x: &Buffer, axis: usize, index: &Buffer, source: &Buffer) -> Result<Buffer>;

    // ---- windows ----

    /// Convolution of `x: [N, C_in, H, W]` with `weight: [C_out, C_in / groups, Kh, Kw]`.
    fn conv2d(&self, x: &Buffer, weight: &Buffer, spec: &Conv2dSpec) -> Result<Buffer>;

    /// Its gradient with respect to an input of `x_shape`, from that of the output, `g`.
    fn conv2d_input_grad(&self, g: &Buffer, weight: &Buffer, spec: &Conv2dSpec, x_shape: &Shape) -> Result<Buffer>;

    /// Its gradient with respect to a weight of `weight_shape`.
    fn conv2d_weight_grad(&self, x: &Buffer, g: &Buffer, spec: &Conv2dSpec, weight_shape: &Shape) -> Result<Buffer>;

    /// Max pooling of `x: [N, C, H, W]`: the values, and where each came from as an index (i64) into its `H · W` plane.
    /// The first of equals wins; a NaN counts as largest; padding never wins.
    fn max_pool2d(&self, x: &Buffer, spec: &Pool2dSpec) -> Result<(Buffer, Buffer)>;

    /// Average pooling of `x: [N, C, H, W]`.
    fn avg_pool2d(&self, x: &Buffer, spec: &Pool2dSpec) -> Result<Buffer>;

    /// Its gradient with respect to an input of `x_shape`.
    fn avg_pool2d_grad(&self, g: &Buffer, spec: &Pool2dSpec, x_shape: &Shape) -> Result<Buffer>;

    // ---- the rim: optional; `None` means that the composed version is used ----

    /// `f(x)`.
    fn activation(&self, _f: Activation, _x: &Buffer) -> Rim<Buffer> {
        Ok(None)
    }

    /// `g · f′(x)`.
    fn activation_grad(&self, _f: Activation, _x: &Buffer, _g: &Buffer) -> Rim<Buffer> {
        Ok(None)
    }

    /// `f(x weightᵀ + bias)` for `x: [N, in]`, `weight: [out, in]`, `bias: [out]`.
    fn linear(&self, _x: &Buffer, _weight: &Buffer, _bias: Option<&Buffer>, _f: Activation) -> Rim<(Buffer, Saved)> {
        Ok(None)
    }

    /// Its gradients. `needs` says which of input, weight and bias are wanted. Called only with what `linear` returned.
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

    /// `pool(f(conv2d(x, weight) + bias))` with max pooling, if any.
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

    /// Its gradients. `needs` says which of input, weight and bias are wanted. Called only with what `conv2d_block`
    /// returned.
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

    /// Max pooling that keeps where each maximum was in a form of the backend's own.
    fn max_pool2d_saved(&self, _x: &Buffer, _spec: &Pool2dSpec) -> Rim<(Buffer, Saved)> {
        Ok(None)
    }

    /// Its gradient with respect to an input of `x_shape`.
    fn max_pool2d_grad(&self, _g: &Buffer, _saved: &Saved, _spec: &Pool2dSpec, _x_shape: &Shape) -> Result<Buffer> {
        Err(no_forward("max_pool2d_grad"))
    }

    /// Softmax along `axis`, or its logarithm.
    fn softmax(&self, _x: &Buffer, _axis: usize, _log: bool) -> Rim<Buffer> {
        Ok(None)
    }

    /// Its gradient, from the output `y`.
    fn softmax_grad(&self, _g: &Buffer, _y: &Buffer, _axis: usize, _log: bool) -> Rim<Buffer> {
        Ok(None)
    }

    /// Mean cross entropy (a scalar) of `logits: [N, C]` with classes `target: [N]` (i64, each in `0..C` or the ignored
    /// index; anything else is an error).
    fn cross_entropy(&self, _logits: &Buffer, _target: &Buffer, _spec: &CrossEntropySpec) -> Rim<(Buffer, Saved)> {
        Ok(None)
    }

    /// Its gradient with respect to the logits, for the scalar `g`.
    fn cross_entropy_grad(&self, _g: &Buffer, _saved: &Saved) -> Result<Buffer> {
        Err(no_forward("cross_entropy_grad"))
    }

    /// Layer norm over the last `dims` dimensions, with optional weight and bias of that shape.
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

    /// Its gradients.
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

    /// The first half of batch norm in training of `x: [N, C, …]`: each channel's mean and biased variance (each `[C]`), and
    /// what [`Backend::batch_norm_block`], which a backend with this one must have, reads.
    fn batch_norm_stats(&self, _x: &Buffer, _eps: f64) -> Rim<(Buffer, Buffer, Saved)> {
        Ok(None)
    }

    /// The second half, and what may follow: `f((x − mean) / √(variance + eps) · weight + bias + residual)` with optional
    /// weight and bias `[C]` and `residual` of `x`'s shape. Called only with what `batch_norm_stats` returned for `x`.
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

    /// The gradients of both halves. `needs` says which of input, weight, bias and residual are wanted.
    #[allow(clippy::too_many_arguments)] // those of the forward, and three
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

    /// Both halves in one, for a backend without them: batch norm in training of `x: [N, C, …]` with
    /// optional weight and bias `[C]`: the output, the batch's mean and biased variance (each `[C]`).
    fn batch_norm(
        &self,
        _x: &Buffer,
        _weight: Option<&Buffer>,
        _bias: Option<&Buffer>,
        _eps: f64,
    ) -> Rim<(Buffer, Buffer, Buffer, Saved)> {
        Ok(None)
    }

    /// Its gradients.
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

    /// Element `i` in row-major order is `x / (1 − p)` where `key.word(i) ≥ p · 2³²`, 0 elsewhere. Its gradient is the same
    /// method on the gradient.
    fn dropout(&self, _x: &Buffer, _p: f64, _key: RandomKey) -> Rim<Buffer> {
        Ok(None)
    }

    /// Rows `index` (i64, any shape) of `weight: [rows, width]`, as `[…, width]`.
    fn embedding(&self, _weight: &Buffer, _index: &Buffer) -> Rim<Buffer> {
        Ok(None)
    }

    /// Its gradient with respect to a weight of `rows` rows.
    fn embedding_grad(&self, _g: &Buffer, _index: &Buffer, _rows: usize) -> Rim<Buffer> {
        Ok(None)
    }

    /// [`Backend::assign`] where `apply`, a u8 scalar, is not 0; where it is 0, nothing changes.
    fn assign_where(&self, _target: &mut Buffer, _source: &Buffer, _apply: &Buffer) -> Rim<()> {
        Ok(None)
    }

    /// √Σx² over all elements of a float `x`, as an f64 scalar: exact squares, or scaled ones, which neither overflow nor
    /// vanish; NaN if an element is, else ∞ if one is infinite.
    fn norm(&self, _x: &Buffer) -> Rim<Buffer> {
        Ok(None)
    }

    /// 1 (a u8 scalar) when every element of every buffer is finite, else 0.
    fn all_finite(&self, _buffers: &[&Buffer]) -> Rim<Buffer> {
        Ok(None)
    }

    /// One step of Adam, on the parameter `p` and its moments `m` and `v`, each in place when not shared. `taken`: an i64
    /// scalar, the steps made before this one. `apply`: a u8 scalar; where it is 0, nothing changes. A device decides by
    /// both without the host.
    #[allow(clippy::too_many_arguments)] // what is changed, by what, and when
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

    /// One step of SGD on the parameter `p`, and on its velocity when the momentum is not 0. `taken` and `apply`: as in
    /// [`Backend::adam_step`].
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
