//! The implementation of [`Backend`]: each method calls the module that implements it.

use crate::{
    CpuBackend, argmax, avg_pool, binary, conv2d, finite, index, matmul, max_pool, norm, optimiser, pad, reduce, sort,
    transfer, unary, views,
};
use taper_backend::{
    AdamSpec, Backend, BinaryOp, Buffer, CompareOp, Conv2dSpec, DType, Distribution, FusedOp, FusedOutput, HostData,
    PadAmount, Pool2dSpec, RandomKey, ReduceOp, Result, Rim, Saved, SgdSpec, Shape, SliceRange, UnaryOp,
};

impl Backend for CpuBackend {
    fn name(&self) -> &str {
        "cpu"
    }

    fn description(&self) -> String {
        let (threads, s) = (self.threads(), if self.threads() == 1 { "" } else { "s" });
        format!("cpu ({threads} thread{s}, {}, {} convolution)", self.isa(), self.convolution())
    }

    fn supports(&self, _dtype: DType) -> bool {
        true
    }

    fn upload(&self, data: &HostData, shape: &Shape) -> Result<Buffer> {
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

    fn pad(&self, x: &Buffer, amounts: &[PadAmount], value: f64) -> Result<Buffer> {
        pad::pad(self, x, amounts, value)
    }

    fn concat(&self, parts: &[&Buffer], axis: usize) -> Result<Buffer> {
        pad::concat(self, parts, axis)
    }

    fn unary(&self, op: UnaryOp, x: &Buffer) -> Result<Buffer> {
        unary::unary(self, op, x)
    }

    fn binary(&self, op: BinaryOp, a: &Buffer, b: &Buffer) -> Result<Buffer> {
        binary::binary(self, op, a, b)
    }

    fn binary_scalar(&self, op: BinaryOp, x: &Buffer, number: f64, number_first: bool) -> Result<Buffer> {
        binary::binary_scalar(self, op, x, number, number_first)
    }

    fn compare(&self, op: CompareOp, a: &Buffer, b: &Buffer) -> Result<Buffer> {
        binary::compare(self, op, a, b)
    }

    fn compare_scalar(&self, op: CompareOp, x: &Buffer, number: f64) -> Result<Buffer> {
        binary::compare_scalar(self, op, x, number)
    }

    fn select(&self, condition: &Buffer, a: &Buffer, b: &Buffer) -> Result<Buffer> {
        binary::select(self, condition, a, b)
    }

    fn reduce(&self, op: ReduceOp, x: &Buffer, axes: &[usize]) -> Result<Buffer> {
        reduce::reduce(self, op, x, axes)
    }

    fn argmax(&self, x: &Buffer, axis: usize) -> Result<Buffer> {
        argmax::argmax(self, x, axis)
    }

    fn argsort(&self, x: &Buffer, axis: usize, descending: bool) -> Result<Buffer> {
        sort::argsort(self, x, axis, descending)
    }

    fn matmul(&self, a: &Buffer, b: &Buffer, transpose_a: bool, transpose_b: bool) -> Result<Buffer> {
        matmul::matmul(self, a, b, transpose_a, transpose_b)
    }

    fn gather(&self, x: &Buffer, axis: usize, index: &Buffer) -> Result<Buffer> {
        index::gather(self, x, axis, index)
    }

    fn scatter_add(&self, x: &Buffer, axis: usize, index: &Buffer, source: &Buffer) -> Result<Buffer> {
        index::scatter_add(self, x, axis, index, source)
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

    fn max_pool2d(&self, x: &Buffer, spec: &Pool2dSpec) -> Result<(Buffer, Buffer)> {
        max_pool::max_pool2d(self, x, spec)
    }

    fn avg_pool2d(&self, x: &Buffer, spec: &Pool2dSpec) -> Result<Buffer> {
        avg_pool::avg_pool2d(self, x, spec)
    }

    fn avg_pool2d_grad(&self, g: &Buffer, spec: &Pool2dSpec, x_shape: &Shape) -> Result<Buffer> {
        avg_pool::avg_pool2d_grad(self, g, spec, x_shape)
    }

    fn fused(&self, op: &FusedOp<'_>) -> Rim<FusedOutput> {
        crate::fused(self, op)
    }

    fn fused_grad(&self, op: &FusedOp<'_>, g: &Buffer, saved: &Saved, needs: &[bool]) -> Rim<Vec<Option<Buffer>>> {
        crate::fused_grad(self, op, g, saved, needs)
    }

    fn assign_where(&self, target: &mut Buffer, source: &Buffer, apply: &Buffer) -> Rim<()> {
        optimiser::assign_where(self, target, source, apply)
    }

    fn norm(&self, x: &Buffer) -> Rim<Buffer> {
        norm::norm(self, x)
    }

    fn all_finite(&self, buffers: &[&Buffer]) -> Rim<Buffer> {
        finite::all_finite(self, buffers)
    }

    fn adam_step(
        &self,
        p: &mut Buffer,
        m: &mut Buffer,
        v: &mut Buffer,
        g: &Buffer,
        taken: &Buffer,
        apply: Option<&Buffer>,
        spec: &AdamSpec,
    ) -> Rim<()> {
        optimiser::adam_step(self, [p, m, v], g, (taken, apply), spec)
    }

    fn sgd_step(
        &self,
        p: &mut Buffer,
        velocity: Option<&mut Buffer>,
        g: &Buffer,
        taken: &Buffer,
        apply: Option<&Buffer>,
        spec: &SgdSpec,
    ) -> Rim<()> {
        optimiser::sgd_step(self, p, velocity, g, (taken, apply), spec)
    }
}
