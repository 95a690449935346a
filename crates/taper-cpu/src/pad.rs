//! Padding and concatenation.

use crate::CpuBackend;
use crate::copy::copy_to;
use crate::storage::{Stored, for_dtype};
use taper_backend::{Buffer, Element, Error, PadAmount, Result, Shape};

pub(crate) fn pad(cpu: &CpuBackend, x: &Buffer, amounts: &[PadAmount], value: f64) -> Result<Buffer> {
    let padded = |(&size, amount): (&usize, &PadAmount)| {
        let inner = size.saturating_sub(1).checked_mul(amount.interior)?;
        size.checked_add(inner)?.checked_add(amount.low)?.checked_add(amount.high)
    };
    let dims: Option<Vec<usize>> = x.shape().iter().zip(amounts).map(padded).collect();
    let dims = dims.filter(|dims| dims.iter().try_fold(1usize, |count, &size| count.checked_mul(size)).is_some());
    let Some(dims) = dims else {
        return Err(Error::argument("pad", format!("the amounts {amounts:?} are too large for {}", x.shape())));
    };
    for_dtype!(x.dtype(), T => padded_to::<T>(cpu, x, amounts, T::from_f64(value), dims.into()))
}

fn padded_to<T: Stored>(cpu: &CpuBackend, x: &Buffer, amounts: &[PadAmount], value: T, shape: Shape) -> Result<Buffer> {
    let x = cpu.to_contiguous(x)?;
    let view = cpu.view::<T>(&x)?;
    let from = view.contiguous().unwrap_or_default();
    let strides = shape.strides();
    let mut block = cpu.pool().alloc::<T>(shape.count())?;
    // One task for each index of the first dimension, which fills its slab and then overwrites it where `x` lies.
    let rank = shape.rank();
    let (slab, rows) = if rank == 0 { (1, 1) } else { (strides[0], view.shape[0]) };
    let x_slab = from.len() / rows.max(1);
    cpu.for_chunks(&mut block, slab, shape.count(), |i, out| {
        out.fill(value);
        if rank == 0 {
            return out.copy_from_slice(from);
        }
        let (low, step) = (amounts[0].low, amounts[0].interior.saturating_add(1));
        let Some(i) = i.checked_sub(low).filter(|i| i % step == 0 && i / step < rows) else { return };
        let part = &from[i / step * x_slab..][..x_slab];
        place(part, &view.shape[1..], &amounts[1..], &strides[1..], out);
    });
    Ok(cpu.wrap(shape, block))
}

/// Writes row-major `from` of shape `dims` into `out` with these strides, with the offset and spacing that `amounts`
/// gives.
fn place<T: Copy>(from: &[T], dims: &[usize], amounts: &[PadAmount], strides: &[usize], out: &mut [T]) {
    let ([size, dims @ ..], [amount, amounts @ ..], [stride, strides @ ..]) = (dims, amounts, strides) else {
        return out[..from.len()].copy_from_slice(from);
    };
    if from.is_empty() {
        return;
    }
    let start = amount.low * stride;
    if dims.is_empty() && amount.interior == 0 {
        return out[start..start + size].copy_from_slice(from);
    }
    let step = amount.interior.saturating_add(1).saturating_mul(*stride);
    for (i, part) in from.chunks_exact(from.len() / size).enumerate() {
        place(part, dims, amounts, strides, &mut out[start + i * step..]);
    }
}

pub(crate) fn concat(cpu: &CpuBackend, parts: &[&Buffer], axis: usize) -> Result<Buffer> {
    let Some(first) = parts.first() else {
        return Err(Error::argument("concat", "needs at least one part"));
    };
    let mut dims = first.shape().to_vec();
    dims[axis] = parts.iter().map(|part| part.shape()[axis]).sum();
    for_dtype!(first.dtype(), T => joined::<T>(cpu, parts, axis, dims.into()))
}

fn joined<T: Stored>(cpu: &CpuBackend, parts: &[&Buffer], axis: usize, shape: Shape) -> Result<Buffer> {
    let mut block = cpu.pool().alloc::<T>(shape.count())?;
    // Each part is one run of elements for every index before the axis.
    let inner: usize = shape[axis + 1..].iter().product();
    let run = shape[axis] * inner;
    let copies = parts.iter().map(|part| cpu.to_contiguous(part)).collect::<Result<Vec<_>>>()?;
    let sources = copies.iter().map(|copy| cpu.view::<T>(copy)).collect::<Result<Vec<_>>>()?;
    if run == shape.count() {
        let mut rest = &mut block[..];
        for source in &sources {
            let (out, tail) = rest.split_at_mut(source.count());
            copy_to(cpu, source, out);
            rest = tail;
        }
        return Ok(cpu.wrap(shape, block));
    }
    let group = (crate::parallel::TASK / run.max(1)).max(1);
    cpu.for_chunks(&mut block, group * run, shape.count(), |task, out| {
        for (i, out) in out.chunks_exact_mut(run).enumerate() {
            let mut at = 0;
            for source in &sources {
                let len = source.shape[axis] * inner;
                let from = source.contiguous().unwrap_or_default();
                out[at..at + len].copy_from_slice(&from[(task * group + i) * len..][..len]);
                at += len;
            }
        }
    });
    Ok(cpu.wrap(shape, block))
}
