//! The contract, each method handed to the file that answers it.

use crate::{CpuBackend, conv_block, conv2d, linear, matmul, transfer, views};
use taper_backend::{
    Activation, Backend, BinaryOp, Buffer, CompareOp, Conv2dSpec, DType, Distribution, HostData, PadAmount, ParamGrads,
    Pool2dSpec, RandomKey, ReduceOp, Result, Rim, Saved, Shape, SliceRange, UnaryOp,
};

impl Backend for CpuBackend {
    fn name(&self) -> &str {
        "cpu"
    }

    fn supports(&self, _dtype: DType) -> bool {
        true
    }

    fn upload(&self, data: HostData, shape: &Shape) -> Result<Buffer> {
        transfer::upload(self, data, shape)
    }

    fn download(&self, x: &Buffer) -> Result<HostData> {
        transfer::download(self, x)
    }

    fn fill(&self, shape: &Shape, dtype: DType, value: f64) -> Result<Buffer> {
        transfer::fill(self, shape, dtype, value)
    }

    fn random(&self, shape: &Shape, dtype: DType, distribution: Distribution, key: RandomKey) -> Result<Buffer> {
        transfer::random(self, shape, dtype, distribution, key)
    }

    fn assign(&self, target: &mut Buffer, source: &Buffer) -> Result<()> {
        transfer::assign(self, target, source)
    }

    fn cast(&self, x: &Buffer, dtype: DType) -> Result<Buffer> {
        transfer::cast(self, x, dtype)
    }

    fn reshape(&self, x: &Buffer, shape: &Shape) -> Result<Buffer> {
        views::reshape(self, x, shape)
    }

    fn permute(&self, x: &Buffer, axes: &[usize]) -> Result<Buffer> {
        views::permute(self, x, axes)
    }

    fn broadcast(&self, x: &Buffer, shape: &Shape) -> Result<Buffer> {
        views::broadcast(self, x, shape)
    }

    fn slice(&self, x: &Buffer, ranges: &[SliceRange]) -> Result<Buffer> {
        views::slice(self, x, ranges)
    }

    fn pad(&self, x: &Buffer, _amounts: &[PadAmount], _value: f64) -> Result<Buffer> {
        Err(self.unsupported("pad", x.dtype()))
    }

    fn concat(&self, parts: &[&Buffer], _axis: usize) -> Result<Buffer> {
        Err(self.unsupported("concat", parts[0].dtype()))
    }

    fn unary(&self, _op: UnaryOp, x: &Buffer) -> Result<Buffer> {
        Err(self.unsupported("unary", x.dtype()))
    }

    fn binary(&self, _op: BinaryOp, a: &Buffer, _b: &Buffer) -> Result<Buffer> {
        Err(self.unsupported("binary", a.dtype()))
    }

    fn compare(&self, _op: CompareOp, a: &Buffer, _b: &Buffer) -> Result<Buffer> {
        Err(self.unsupported("compare", a.dtype()))
    }

    fn select(&self, _condition: &Buffer, a: &Buffer, _b: &Buffer) -> Result<Buffer> {
        Err(self.unsupported("select", a.dtype()))
    }

    fn reduce(&self, _op: ReduceOp, x: &Buffer, _axes: &[usize]) -> Result<Buffer> {
        Err(self.unsupported("reduce", x.dtype()))
    }

    fn argmax(&self, x: &Buffer, _axis: usize) -> Result<Buffer> {
        Err(self.unsupported("argmax", x.dtype()))
    }

    fn matmul(&self, a: &Buffer, b: &Buffer, transpose_a: bool, transpose_b: bool) -> Result<Buffer> {
        matmul::matmul(self, a, b, transpose_a, transpose_b)
    }

    fn gather(&self, x: &Buffer, _axis: usize, _index: &Buffer) -> Result<Buffer> {
        Err(self.unsupported("gather", x.dtype()))
    }

    fn scatter_add(&self, x: &Buffer, _axis: usize, _index: &Buffer, _source: &Buffer) -> Result<Buffer> {
        Err(self.unsupported("scatter_add", x.dtype()))
    }

    fn conv2d(&self, x: &Buffer, weight: &Buffer, spec: &Conv2dSpec) -> Result<Buffer> {
        conv2d::conv2d(self, x, weight, spec)
    }

    fn conv2d_input_grad(&self, g: &Buffer, weight: &Buffer, spec: &Conv2dSpec, x_shape: &Shape) -> Result<Buffer> {
        conv2d::conv2d_input_grad(self, g, weight, spec, x_shape)
    }

    fn conv2d_weight_grad(&self, x: &Buffer, g: &Buffer, spec: &Conv2dSpec, weight_shape: &Shape) -> Result<Buffer> {
        conv2d::conv2d_weight_grad(self, x, g, spec, weight_shape)
    }

    fn max_pool2d(&self, x: &Buffer, _spec: &Pool2dSpec) -> Result<(Buffer, Buffer)> {
        Err(self.unsupported("max_pool2d", x.dtype()))
    }

    fn avg_pool2d(&self, x: &Buffer, _spec: &Pool2dSpec) -> Result<Buffer> {
        Err(self.unsupported("avg_pool2d", x.dtype()))
    }

    fn avg_pool2d_grad(&self, g: &Buffer, _spec: &Pool2dSpec, _x_shape: &Shape) -> Result<Buffer> {
        Err(self.unsupported("avg_pool2d_grad", g.dtype()))
    }

    fn linear(&self, x: &Buffer, weight: &Buffer, bias: Option<&Buffer>, f: Activation) -> Rim<(Buffer, Saved)> {
        linear::linear(self, x, weight, bias, f)
    }

    fn linear_grad(
        &self,
        g: &Buffer,
        saved: &Saved,
        x: &Buffer,
        weight: &Buffer,
        f: Activation,
        needs: [bool; 3],
    ) -> Result<ParamGrads> {
        linear::linear_grad(self, g, saved, x, weight, f, needs)
    }

    fn conv2d_block(
        &self,
        x: &Buffer,
        weight: &Buffer,
        bias: Option<&Buffer>,
        spec: &Conv2dSpec,
        f: Activation,
        pool: Option<&Pool2dSpec>,
    ) -> Rim<(Buffer, Saved)> {
        conv_block::conv2d_block(self, x, weight, bias, spec, f, pool)
    }

    fn conv2d_block_grad(
        &self,
        g: &Buffer,
        saved: &Saved,
        x: &Buffer,
        weight: &Buffer,
        spec: &Conv2dSpec,
        needs: [bool; 3],
    ) -> Result<ParamGrads> {
        conv_block::conv2d_block_grad(self, g, saved, x, weight, spec, needs)
    }
}
