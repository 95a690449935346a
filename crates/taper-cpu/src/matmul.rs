//! Batched matrix products.

use crate::CpuBackend;
use crate::gemm::{Epilogue, Matrix, Product, Real, Shared, run_tasks};
use crate::storage::{Stored, View, for_float};
use crate::transfer::in_f32;
use taper_backend::{Buffer, DType, Result, Shape};

/// Products of at least this many multiplications each use all threads, one after another; smaller products of a batch
/// are grouped into tasks.
const LARGE: usize = 1 << 22;

/// `[…, m, k] × […, k, n]`; `ta` and `tb` transpose the last two dimensions of `a` and `b`.
pub(crate) fn matmul(cpu: &CpuBackend, a: &Buffer, b: &Buffer, ta: bool, tb: bool) -> Result<Buffer> {
    match a.dtype() {
        DType::F16 | DType::BF16 => in_f32(cpu, [a, b], |[a, b]| matmul(cpu, a, b, ta, tb)),
        dtype => for_float!(dtype, T => product::<T>(cpu, a, b, ta, tb), else Err(cpu.unsupported("matmul", dtype))),
    }
}

fn product<T: Stored + Real>(cpu: &CpuBackend, a: &Buffer, b: &Buffer, ta: bool, tb: bool) -> Result<Buffer> {
    let (a, b) = (cpu.view::<T>(a)?, cpu.view::<T>(b)?);
    let leading = a.shape.len() - 2;
    let (a_line, a_step) = if ta { (leading + 1, leading) } else { (leading, leading + 1) };
    let (b_line, b_step) = if tb { (leading, leading + 1) } else { (leading + 1, leading) };
    let (rows, depth, columns) = (a.shape[a_line], a.shape[a_step], b.shape[b_line]);
    let mut dims = a.shape[..leading].to_vec();
    let batch: usize = dims.iter().product();
    dims.extend([rows, columns]);
    let shape = Shape::from(dims);
    let mut c = cpu.pool().alloc::<T>(shape.count())?;
    let line_a = |offset| Matrix { data: a.data, offset, line: a.strides[a_line], step: a.strides[a_step] };
    let line_b = |offset| Matrix { data: b.data, offset, line: b.strides[b_line], step: b.strides[b_step] };
    let size = rows * columns;
    if size == 0 || batch == 0 {
        return Ok(cpu.wrap(shape, c));
    }
    // If all of the batch shares one `b`, the rows of all `a`s may form one long matrix.
    let repeated = b.strides[..leading].iter().zip(b.shape).all(|(&stride, &size)| stride == 0 || size == 1);
    if batch > 1
        && repeated
        && let Some(a) = stacked(&a, leading, a_line, a_step)
    {
        let whole = Product { rows: rows * batch, columns, depth, a, b: line_b(b.offset) };
        whole.run(cpu, &mut c, Epilogue::default())?;
        return Ok(cpu.wrap(shape, c));
    }
    let cost = size.saturating_mul(depth);
    let one = |i: usize, c: &mut [T]| {
        let (a, b) = (line_a(a.offset + offset(&a, leading, i)), line_b(b.offset + offset(&b, leading, i)));
        Product { rows, columns, depth, a, b }.run(cpu, c, Epilogue::default())
    };
    if cost >= LARGE || batch == 1 {
        c.chunks_mut(size).enumerate().try_for_each(|(i, c)| one(i, c))?;
    } else {
        let group = (LARGE / 8 / cost.max(1)).clamp(1, batch);
        let shared = Shared::new(&mut c);
        run_tasks(cpu, batch.div_ceil(group), cost.saturating_mul(batch), |task| {
            (task * group..((task + 1) * group).min(batch)).try_for_each(|i| {
                // SAFETY: each matrix of the result belongs to one task.
                one(i, unsafe { shared.slice(i * size..(i + 1) * size) })
            })
        })?;
    }
    Ok(cpu.wrap(shape, c))
}

/// The offset of matrix `i` of the batch relative to the first.
fn offset<T>(x: &View<T>, leading: usize, mut i: usize) -> usize {
    let mut offset = 0;
    for (&size, &stride) in x.shape[..leading].iter().zip(x.strides).rev() {
        offset += i % size * stride;
        i /= size;
    }
    offset
}

/// The matrices of a batch stacked along the rows as one matrix, if their strides allow it.
fn stacked<'a, T>(x: &View<'a, T>, leading: usize, line: usize, step: usize) -> Option<Matrix<'a, T>> {
    let mut next = x.strides[line] * x.shape[line];
    for (&size, &stride) in x.shape[..leading].iter().zip(x.strides).rev() {
        if size != 1 && stride != next {
            return None;
        }
        next *= size;
    }
    Some(Matrix { data: x.data, offset: x.offset, line: x.strides[line], step: x.strides[step] })
}
