//! Views: another shape, offset or strides over the same block.

use crate::CpuBackend;
use crate::layout::reshape_strides;
use taper_backend::{Buffer, Result, Shape, SliceRange};

pub(crate) fn reshape(cpu: &CpuBackend, x: &Buffer, shape: &Shape) -> Result<Buffer> {
    let strided = cpu.strided(x)?;
    if let Some(strides) = reshape_strides(x.shape(), &strided.strides, shape) {
        return cpu.view_of(x, shape.clone(), strided.offset, strides);
    }
    let copy = cpu.to_contiguous(x)?;
    let offset = cpu.strided(&copy)?.offset;
    cpu.view_of(&copy, shape.clone(), offset, shape.strides())
}

pub(crate) fn permute(cpu: &CpuBackend, x: &Buffer, axes: &[usize]) -> Result<Buffer> {
    let strided = cpu.strided(x)?;
    let pick = |values: &[usize]| axes.iter().map(|&axis| values[axis]).collect::<Vec<_>>();
    cpu.view_of(x, pick(x.shape()).into(), strided.offset, pick(&strided.strides))
}

pub(crate) fn broadcast(cpu: &CpuBackend, x: &Buffer, shape: &Shape) -> Result<Buffer> {
    let strided = cpu.strided(x)?;
    let strides = broadcast_strides(x.shape(), &strided.strides, shape);
    cpu.view_of(x, shape.clone(), strided.offset, strides)
}

/// The strides that broadcast `dims` to `target`; 0 in repeated dimensions.
pub(crate) fn broadcast_strides(dims: &[usize], strides: &[usize], target: &[usize]) -> Vec<usize> {
    let mut result = vec![0; target.len()];
    let missing = target.len() - dims.len();
    for (i, (&size, &stride)) in dims.iter().zip(strides).enumerate() {
        if size == target[missing + i] {
            result[missing + i] = stride;
        }
    }
    result
}

pub(crate) fn slice(cpu: &CpuBackend, x: &Buffer, ranges: &[SliceRange]) -> Result<Buffer> {
    let strided = cpu.strided(x)?;
    let shape: Shape = ranges.iter().map(SliceRange::count).collect::<Vec<_>>().into();
    let mut offset = strided.offset;
    let mut strides = strided.strides.clone();
    for (stride, range) in strides.iter_mut().zip(ranges) {
        offset += range.start * *stride;
        // The stride of a dimension with one element is never used, but it must not overflow.
        *stride = stride.saturating_mul(range.step);
    }
    // The start of an empty view may lie past the block's end.
    let offset = if shape.contains(&0) { 0 } else { offset };
    cpu.view_of(x, shape, offset, strides)
}
