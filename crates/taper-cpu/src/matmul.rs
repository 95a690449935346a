//! Batched matrix products.

use crate::CpuBackend;
use crate::storage::{Stored, for_float};
use std::ops::{Add, Mul};
use taper_backend::{Buffer, Result, Shape};

pub(crate) fn matmul(cpu: &CpuBackend, a: &Buffer, b: &Buffer, ta: bool, tb: bool) -> Result<Buffer> {
    for_float!(a.dtype(), T => product::<T>(cpu, a, b, ta, tb), else Err(cpu.unsupported("matmul", a.dtype())))
}

fn product<T: Stored + Add<Output = T> + Mul<Output = T>>(
    cpu: &CpuBackend,
    a: &Buffer,
    b: &Buffer,
    ta: bool,
    tb: bool,
) -> Result<Buffer> {
    let rank = a.shape().rank();
    let (m, k) =
        if ta { (a.shape()[rank - 1], a.shape()[rank - 2]) } else { (a.shape()[rank - 2], a.shape()[rank - 1]) };
    let n = if tb { b.shape()[rank - 2] } else { b.shape()[rank - 1] };
    let mut dims = a.shape()[..rank - 2].to_vec();
    dims.extend([m, n]);
    let shape = Shape::from(dims);
    let (a, b) = (cpu.to_contiguous(a)?, cpu.to_contiguous(b)?);
    let (a, b) = (cpu.view::<T>(&a)?, cpu.view::<T>(&b)?);
    let (a, b) = (a.contiguous().unwrap_or_default(), b.contiguous().unwrap_or_default());
    let mut block = cpu.pool().alloc_zeroed::<T>(shape.count())?;
    cpu.for_chunks(&mut block, n, shape.count() * k, |row, out| {
        let (batch, i) = (row / m, row % m);
        let (a, b) = (&a[batch * m * k..], &b[batch * k * n..]);
        for p in 0..k {
            let x = if ta { a[p * m + i] } else { a[i * k + p] };
            for (j, y) in out.iter_mut().enumerate() {
                *y = *y + x * if tb { b[j * k + p] } else { b[p * n + j] };
            }
        }
    });
    Ok(cpu.wrap(shape, block))
}
