//! Reading and adding by index.
//!
//! Along `axis`, a row-major array is `outer` blocks of `length` rows of `inner` elements.

use crate::CpuBackend;
use crate::parallel::TASK;
use crate::storage::{Stored, for_dtype, for_float};
use crate::transfer;
use taper_backend::{Buffer, DType, Error, Result, Rim, Shape};

/// The row-major values of `index`, after each was found to be in `0..length`.
pub(crate) fn checked<'a>(cpu: &CpuBackend, op: &'static str, index: &'a Buffer, length: usize) -> Result<&'a [i64]> {
    let values = cpu.view::<i64>(index)?.contiguous().unwrap_or_default();
    match values.iter().position(|&i| usize::try_from(i).map_or(true, |i| i >= length)) {
        None => Ok(values),
        Some(at) => {
            let detail =
                format!("index {} (element {at} of {}) is out of range 0..{length}", values[at], index.shape());
            Err(Error::argument(op, detail))
        }
    }
}

fn inner_of(shape: &Shape, axis: usize) -> usize {
    shape[axis + 1..].iter().product()
}

pub(crate) fn gather(cpu: &CpuBackend, x: &Buffer, axis: usize, index: &Buffer) -> Result<Buffer> {
    let length = x.shape()[axis];
    let (x, index) = (cpu.to_contiguous(x)?, cpu.to_contiguous(index)?);
    let places = checked(cpu, "gather", &index, length)?;
    let inner = inner_of(x.shape(), axis);
    let block = index.shape()[axis] * inner;
    for_dtype!(x.dtype(), T => {
        let from = cpu.view::<T>(&x)?.contiguous().unwrap_or_default();
        let mut out = cpu.pool().alloc::<T>(places.len())?;
        cpu.for_chunks(&mut out, TASK, places.len(), |task, out| {
            for (i, y) in out.iter_mut().enumerate() {
                let at = task * TASK + i;
                // Checked above to be in 0..length.
                *y = from[(at / block * length + places[at] as usize) * inner + at % inner];
            }
        });
        Ok(cpu.wrap(index.shape().clone(), out))
    })
}

pub(crate) fn scatter_add(
    cpu: &CpuBackend,
    x: &Buffer,
    axis: usize,
    index: &Buffer,
    source: &Buffer,
) -> Result<Buffer> {
    match x.dtype() {
        DType::F16 | DType::BF16 => {
            let wide = |x| transfer::cast(cpu, x, DType::F32);
            let y = scatter_add(cpu, &wide(x)?, axis, index, &wide(source)?)?;
            transfer::cast(cpu, &y, x.dtype())
        }
        DType::F32 => scattered::<f32>(cpu, x, axis, index, source, |a, b| a + b),
        DType::F64 => scattered::<f64>(cpu, x, axis, index, source, |a, b| a + b),
        DType::I64 => scattered::<i64>(cpu, x, axis, index, source, i64::wrapping_add),
        DType::U8 => Err(cpu.unsupported("scatter_add", DType::U8)),
    }
}

fn scattered<T: Stored>(
    cpu: &CpuBackend,
    x: &Buffer,
    axis: usize,
    index: &Buffer,
    source: &Buffer,
    add: impl Fn(T, T) -> T + Send + Sync,
) -> Result<Buffer> {
    let length = x.shape()[axis];
    let (index, source) = (cpu.to_contiguous(index)?, cpu.to_contiguous(source)?);
    let places = checked(cpu, "scatter_add", &index, length)?;
    let added = cpu.view::<T>(&source)?.contiguous().unwrap_or_default();
    let inner = inner_of(x.shape(), axis);
    let (x_block, block) = (length * inner, index.shape()[axis] * inner);
    let mut out = cpu.pool().alloc::<T>(x.count())?;
    crate::copy::copy_to(cpu, &cpu.view::<T>(x)?, &mut out);
    // Equal indices meet only within an outer block, which one task takes in order.
    cpu.for_chunks(&mut out, x_block, places.len(), |outer, out| {
        let range = outer * block..(outer + 1) * block;
        for (i, (&place, &value)) in places[range.clone()].iter().zip(&added[range]).enumerate() {
            let y = &mut out[place as usize * inner + i % inner];
            *y = add(*y, value);
        }
    });
    Ok(cpu.wrap(x.shape().clone(), out))
}

pub(crate) fn embedding(cpu: &CpuBackend, weight: &Buffer, index: &Buffer) -> Rim<Buffer> {
    let (rows, width) = (weight.shape()[0], weight.shape()[1]);
    let (weight, index) = (cpu.to_contiguous(weight)?, cpu.to_contiguous(index)?);
    let places = checked(cpu, "embedding", &index, rows)?;
    let mut dims = index.shape().to_vec();
    dims.push(width);
    for_dtype!(weight.dtype(), T => {
        let from = cpu.view::<T>(&weight)?.contiguous().unwrap_or_default();
        let mut out = cpu.pool().alloc::<T>(places.len() * width)?;
        let group = (TASK / width.max(1)).max(1);
        cpu.for_chunks(&mut out, group * width, places.len() * width, |task, out| {
            for (row, &place) in out.chunks_exact_mut(width).zip(&places[task * group..]) {
                row.copy_from_slice(&from[place as usize * width..][..width]);
            }
        });
        Ok(Some(cpu.wrap(dims.into(), out)))
    })
}

pub(crate) fn embedding_grad(cpu: &CpuBackend, g: &Buffer, index: &Buffer, rows: usize) -> Rim<Buffer> {
    for_float!(g.dtype(), T => {
        let width = g.shape()[g.shape().rank() - 1];
        let (g, index) = (cpu.to_contiguous(g)?, cpu.to_contiguous(index)?);
        let places = checked(cpu, "embedding_grad", &index, rows)?;
        let added = cpu.view::<T>(&g)?.contiguous().unwrap_or_default();
        let mut sums = cpu.pool().alloc_zeroed::<T>(rows * width)?;
        // Each task owns a range of the weight's rows and takes their gradients in the order of the indices.
        let group = rows.div_ceil(64).max(1);
        cpu.for_chunks(&mut sums, group * width, added.len(), |task, out| {
            let first = task * group;
            for (&place, row) in places.iter().zip(added.chunks_exact(width)) {
                let Some(place) = (place as usize).checked_sub(first) else { continue };
                if let Some(out) = out.get_mut(place * width..(place + 1) * width) {
                    out.iter_mut().zip(row).for_each(|(y, &g)| *y += g);
                }
            }
        });
        Ok(Some(cpu.wrap([rows, width].into(), sums)))
    }, else Ok(None))
}
