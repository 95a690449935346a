//! The slow and obvious reference backend. It implements the contract's required methods and those with a scalar
//! operand, and nothing else. Floats are computed in f64 and rounded to their dtype at the end; data are always dense
//! and row-major. Other backends are compared with it, and a new one can start as a copy of it.

mod elementwise;
mod index;
mod matmul;
mod memory;
mod reduce;
mod views;
mod window;

pub use elementwise::{erf, normal_cdf};

use taper_backend::{
    Backend, BinaryOp, Buffer, CompareOp, Conv2dSpec, DType, Device, Distribution, Error, HostData, PadAmount,
    Pool2dSpec, RandomKey, ReduceOp, Result, Shape, SliceRange, UnaryOp,
};

/// The slow reference backend, `toy`. Its buffers hold a [`HostData`].
#[derive(Debug)]
pub struct ToyBackend;

impl ToyBackend {
    /// A device of this backend.
    pub fn device() -> Device {
        Device::new(Self)
    }
}

/// The error for an operation that is not defined for `dtype`.
fn unsupported(op: &'static str, dtype: DType) -> Error {
    Error::Unsupported { op, dtype, backend: "toy".into() }
}

impl Backend for ToyBackend {
    fn name(&self) -> &str {
        "toy"
    }

    fn supports(&self, _dtype: DType) -> bool {
        true
    }

    fn upload(&self, data: &HostData, shape: &Shape) -> Result<Buffer> {
        Ok(memory::buffer(shape, data.clone()))
    }

    fn download(&self, x: &Buffer) -> Result<HostData> {
        memory::data(x).cloned()
    }

    fn fill(&self, shape: &Shape, dtype: DType, value: f64) -> Result<Buffer> {
        Ok(memory::rounded(shape, &vec![value; shape.count()], dtype))
    }

    fn random(&self, shape: &Shape, dtype: DType, distribution: Distribution, key: RandomKey) -> Result<Buffer> {
        memory::random(shape, dtype, distribution, key)
    }

    fn assign(&self, target: &mut Buffer, source: &Buffer) -> Result<()> {
        *target = memory::buffer(source.shape(), memory::data(source)?.clone());
        Ok(())
    }

    fn cast(&self, x: &Buffer, dtype: DType) -> Result<Buffer> {
        memory::cast(x, dtype)
    }

    fn reshape(&self, x: &Buffer, shape: &Shape) -> Result<Buffer> {
        Ok(memory::buffer(shape, memory::data(x)?.clone()))
    }

    fn permute(&self, x: &Buffer, axes: &[usize]) -> Result<Buffer> {
        views::permute(x, axes)
    }

    fn broadcast(&self, x: &Buffer, shape: &Shape) -> Result<Buffer> {
        views::broadcast(x, shape)
    }

    fn slice(&self, x: &Buffer, ranges: &[SliceRange]) -> Result<Buffer> {
        views::slice(x, ranges)
    }

    fn pad(&self, x: &Buffer, amounts: &[PadAmount], value: f64) -> Result<Buffer> {
        views::pad(x, amounts, value)
    }

    fn concat(&self, parts: &[&Buffer], axis: usize) -> Result<Buffer> {
        views::concat(parts, axis)
    }

    fn unary(&self, op: UnaryOp, x: &Buffer) -> Result<Buffer> {
        elementwise::unary(op, x)
    }

    fn binary(&self, op: BinaryOp, a: &Buffer, b: &Buffer) -> Result<Buffer> {
        elementwise::binary(op, a, b)
    }

    fn binary_scalar(&self, op: BinaryOp, x: &Buffer, number: f64, number_first: bool) -> Result<Buffer> {
        elementwise::binary_scalar(op, x, number, number_first)
    }

    fn compare(&self, op: CompareOp, a: &Buffer, b: &Buffer) -> Result<Buffer> {
        elementwise::compare(op, a, b)
    }

    fn compare_scalar(&self, op: CompareOp, x: &Buffer, number: f64) -> Result<Buffer> {
        elementwise::compare_scalar(op, x, number)
    }

    fn select(&self, condition: &Buffer, a: &Buffer, b: &Buffer) -> Result<Buffer> {
        elementwise::select(condition, a, b)
    }

    fn reduce(&self, op: ReduceOp, x: &Buffer, axes: &[usize]) -> Result<Buffer> {
        reduce::reduce(op, x, axes)
    }

    fn argmax(&self, x: &Buffer, axis: usize) -> Result<Buffer> {
        reduce::argmax(x, axis)
    }

    fn matmul(&self, a: &Buffer, b: &Buffer, transpose_a: bool, transpose_b: bool) -> Result<Buffer> {
        matmul::matmul(a, b, transpose_a, transpose_b)
    }

    fn gather(&self, x: &Buffer, axis: usize, index: &Buffer) -> Result<Buffer> {
        index::gather(x, axis, index)
    }

    fn scatter_add(&self, x: &Buffer, axis: usize, index: &Buffer, source: &Buffer) -> Result<Buffer> {
        index::scatter_add(x, axis, index, source)
    }

    fn conv2d(&self, x: &Buffer, weight: &Buffer, spec: &Conv2dSpec) -> Result<Buffer> {
        window::conv2d(x, weight, spec)
    }

    fn conv2d_input_grad(&self, g: &Buffer, weight: &Buffer, spec: &Conv2dSpec, x_shape: &Shape) -> Result<Buffer> {
        window::conv2d_input_grad(g, weight, spec, x_shape)
    }

    fn conv2d_weight_grad(&self, x: &Buffer, g: &Buffer, spec: &Conv2dSpec, weight_shape: &Shape) -> Result<Buffer> {
        window::conv2d_weight_grad(x, g, spec, weight_shape)
    }

    fn max_pool2d(&self, x: &Buffer, spec: &Pool2dSpec) -> Result<(Buffer, Buffer)> {
        window::max_pool2d(x, spec)
    }

    fn avg_pool2d(&self, x: &Buffer, spec: &Pool2dSpec) -> Result<Buffer> {
        window::avg_pool2d(x, spec)
    }

    fn avg_pool2d_grad(&self, g: &Buffer, spec: &Pool2dSpec, x_shape: &Shape) -> Result<Buffer> {
        window::avg_pool2d_grad(g, spec, x_shape)
    }
}
