//! The reference backend with one deliberate fault: `gather` takes the element before the last where the last is asked for.

use taper_backend::{
    Backend, BinaryOp, Buffer, CompareOp, Conv2dSpec, DType, Distribution, HostData, PadAmount, Pool2dSpec, RandomKey,
    ReduceOp, Result, Shape, SliceRange, UnaryOp,
};
use taper_conformance::toy::ToyBackend;

#[derive(Debug)]
pub struct FaultyBackend;

macro_rules! as_the_toy {
    ($(fn $name:ident($($arg:ident: $of:ty),*) -> $result:ty;)*) => {
        $(fn $name(&self, $($arg: $of),*) -> $result { ToyBackend.$name($($arg),*) })*
    };
}

impl Backend for FaultyBackend {
    fn name(&self) -> &str {
        "faulty"
    }

    fn supports(&self, _dtype: DType) -> bool {
        true
    }

    fn gather(&self, x: &Buffer, axis: usize, index: &Buffer) -> Result<Buffer> {
        let last = x.shape()[axis] as f64 - 1.0;
        let before = |i: f64| if i == last && last > 0.0 { i - 1.0 } else { i };
        let indices: Vec<f64> = ToyBackend.download(index)?.to_f64().into_iter().map(before).collect();
        let index = ToyBackend.upload(&HostData::from_f64(&indices, DType::I64), index.shape())?;
        ToyBackend.gather(x, axis, &index)
    }

    as_the_toy! {
        fn upload(data: &HostData, shape: &Shape) -> Result<Buffer>;
        fn download(x: &Buffer) -> Result<HostData>;
        fn fill(shape: &Shape, dtype: DType, value: f64) -> Result<Buffer>;
        fn random(shape: &Shape, dtype: DType, distribution: Distribution, key: RandomKey) -> Result<Buffer>;
        fn assign(target: &mut Buffer, source: &Buffer) -> Result<()>;
        fn cast(x: &Buffer, dtype: DType) -> Result<Buffer>;
        fn reshape(x: &Buffer, shape: &Shape) -> Result<Buffer>;
        fn permute(x: &Buffer, axes: &[usize]) -> Result<Buffer>;
        fn broadcast(x: &Buffer, shape: &Shape) -> Result<Buffer>;
        fn slice(x: &Buffer, ranges: &[SliceRange]) -> Result<Buffer>;
        fn pad(x: &Buffer, amounts: &[PadAmount], value: f64) -> Result<Buffer>;
        fn concat(parts: &[&Buffer], axis: usize) -> Result<Buffer>;
        fn unary(op: UnaryOp, x: &Buffer) -> Result<Buffer>;
        fn binary(op: BinaryOp, a: &Buffer, b: &Buffer) -> Result<Buffer>;
        fn binary_scalar(op: BinaryOp, x: &Buffer, number: f64, number_first: bool) -> Result<Buffer>;
        fn compare(op: CompareOp, a: &Buffer, b: &Buffer) -> Result<Buffer>;
        fn compare_scalar(op: CompareOp, x: &Buffer, number: f64) -> Result<Buffer>;
        fn select(condition: &Buffer, a: &Buffer, b: &Buffer) -> Result<Buffer>;
        fn reduce(op: ReduceOp, x: &Buffer, axes: &[usize]) -> Result<Buffer>;
        fn argmax(x: &Buffer, axis: usize) -> Result<Buffer>;
        fn matmul(a: &Buffer, b: &Buffer, transpose_a: bool, transpose_b: bool) -> Result<Buffer>;
        fn scatter_add(x: &Buffer, axis: usize, index: &Buffer, source: &Buffer) -> Result<Buffer>;
        fn conv2d(x: &Buffer, weight: &Buffer, spec: &Conv2dSpec) -> Result<Buffer>;
        fn conv2d_input_grad(g: &Buffer, weight: &Buffer, spec: &Conv2dSpec, x_shape: &Shape) -> Result<Buffer>;
        fn conv2d_weight_grad(x: &Buffer, g: &Buffer, spec: &Conv2dSpec, weight_shape: &Shape) -> Result<Buffer>;
        fn max_pool2d(x: &Buffer, spec: &Pool2dSpec) -> Result<(Buffer, Buffer)>;
        fn avg_pool2d(x: &Buffer, spec: &Pool2dSpec) -> Result<Buffer>;
        fn avg_pool2d_grad(g: &Buffer, spec: &Pool2dSpec, x_shape: &Shape) -> Result<Buffer>;
    }
}
