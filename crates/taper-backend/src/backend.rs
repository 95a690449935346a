//! The [`Backend`] trait: the operations that a device computes, required and optional.

use crate::{
    AdamSpec, BinaryOp, Buffer, CompareOp, Conv2dSpec, DType, Distribution, FusedOp, FusedOutput, HostData, PadAmount,
    Pool2dSpec, RandomKey, ReduceOp, Result, Rim, Saved, SgdSpec, Shape, SliceRange, UnaryOp,
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

    /// Whether buffers hold values, as on every device but that of shapes alone, [`Meta`](crate::meta::Meta): what is
    /// computed on the host only to be uploaded is left out there.
    fn holds_values(&self) -> bool {
        true
    }

    // ---- memory ----

    /// Copies row-major `data` of `shape.count()` elements from the host to the device. The caller's memory is only read, and
    /// is free to be overwritten when this returns.
    fn upload(&self, data: &HostData, shape: &Shape) -> Result<Buffer>;

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
        self.upload(&HostData::I64(order), x.shape())
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

    // ---- the rim: optional methods; `None` means that callers compose the operation from the methods above ----

    /// Computes a fused operation.
    ///
    /// `None` when the backend has no kernel for it, or none for these operands or attributes.
    fn fused(&self, _op: &FusedOp<'_>) -> Rim<FusedOutput> {
        Ok(None)
    }

    /// The gradients of a fused operation with respect to its operands, from `g`, the gradient of its output `y`.
    /// `saved` is what [`Backend::fused`] returned for the same operation; [`Saved::nothing`] where that saves nothing.
    ///
    /// `needs` says which operands need a gradient, at least one. It and the result have one entry for each operand that
    /// is present ([`FusedOp::operands`]), and the result has a gradient exactly where one is needed. Integer operands
    /// have none.
    ///
    /// `None` when the backend has no kernel for the gradients. Where [`FusedOp::requires_grad`] says so, that is an
    /// answer only if [`Backend::fused`] gave it too.
    fn fused_grad(&self, _op: &FusedOp<'_>, _g: &Buffer, _saved: &Saved, _needs: &[bool]) -> Rim<Vec<Option<Buffer>>> {
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
