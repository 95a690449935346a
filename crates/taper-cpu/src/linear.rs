//! Linear layers and their gradients. Bias and ReLU are the product's epilogue, applied while its blocks are in the
//! cache.

use crate::CpuBackend;
use crate::activation::gate;
use crate::gemm::{Epilogue, Matrix, Product, Real, Shared, run_tasks};
use crate::long_sum::add_rows;
use crate::memory::Block;
use crate::storage::{Stored, View, for_float};
use taper_backend::{Activation, Buffer, Error, FusedOp, FusedOutput, Result, Rim, Saved, Shape};

/// The most bands of rows into which the bias gradient's sum is split.
const BANDS: usize = 16;

/// What the forward saves: its output, if ReLU is applied.
struct SavedOutput(Option<Buffer>);

/// `f(x weightᵀ + bias)`. `f` is ReLU or the identity; anything else is declined with `None`.
pub(crate) fn fused(cpu: &CpuBackend, op: &FusedOp<'_>) -> Rim<FusedOutput> {
    let FusedOp::Linear { x, weight, bias, f } = *op else { return Ok(None) };
    if !matches!(f, Activation::Identity | Activation::Relu) || x.shape().rank() != 2 {
        return Ok(None);
    }
    for_float!(x.dtype(), T => forward::<T>(cpu, x, weight, bias, f == Activation::Relu).map(Some), else Ok(None))
}

/// A 2-D `view` as the left operand of a product or, if `columns`, as the right one.
fn matrix<'a, T>(view: &View<'a, T>, columns: bool) -> Matrix<'a, T> {
    let (line, step) = if columns { (1, 0) } else { (0, 1) };
    Matrix { data: view.data, offset: view.offset, line: view.strides[line], step: view.strides[step] }
}

fn forward<T: Real + Stored>(
    cpu: &CpuBackend,
    x: &Buffer,
    weight: &Buffer,
    bias: Option<&Buffer>,
    relu: bool,
) -> Result<FusedOutput> {
    let bias = bias.map(|bias| cpu.to_contiguous(bias)).transpose()?;
    let bias = bias.as_ref().map(|bias| cpu.view::<T>(bias)).transpose()?;
    let bias = bias.and_then(|bias| bias.contiguous());
    let (a, b) = (cpu.view::<T>(x)?, cpu.view::<T>(weight)?);
    let (rows, depth, columns) = (a.shape[0], a.shape[1], b.shape[0]);
    let mut y = cpu.pool().alloc::<T>(rows * columns)?;
    Product { rows, columns, depth, a: matrix(&a, false), b: matrix(&b, false) }.run(
        cpu,
        &mut y,
        Epilogue { bias, relu },
    )?;
    let y = cpu.wrap([rows, columns].into(), y);
    let output = SavedOutput(relu.then(|| y.clone()));
    Ok(FusedOutput::new(y, Saved::new(output)))
}

pub(crate) fn fused_grad(
    cpu: &CpuBackend,
    op: &FusedOp<'_>,
    g: &Buffer,
    saved: &Saved,
    needs: &[bool],
) -> Rim<Vec<Option<Buffer>>> {
    let FusedOp::Linear { x, weight, .. } = *op else { return Ok(None) };
    const OP: &str = "linear_grad";
    let output = saved.get().ok_or_else(|| Error::argument(OP, "called without what linear of cpu returned"))?;
    for_float!(g.dtype(), T => {
        Ok(Some(op.gathered(gradients::<T>(cpu, g, output, x, weight, op.spread(needs))?)))
    }, else Err(cpu.unsupported(OP, g.dtype())))
}

fn gradients<T: Real + Stored>(
    cpu: &CpuBackend,
    g: &Buffer,
    output: &SavedOutput,
    x: &Buffer,
    weight: &Buffer,
    needs: [bool; 3],
) -> Result<[Option<Buffer>; 3]> {
    let (xv, wv) = (cpu.view::<T>(x)?, cpu.view::<T>(weight)?);
    let (rows, depth, columns) = (xv.shape[0], xv.shape[1], wv.shape[0]);
    let whole = cpu.to_contiguous(g)?;
    let whole = cpu.view::<T>(&whole)?.contiguous().unwrap_or_default();
    // Without a ReLU the gradient is used where it lies.
    let y = output.0.as_ref().map(|y| cpu.view::<T>(y)).transpose()?.and_then(|y| y.contiguous());
    let mut gated = cpu.pool().alloc::<T>(if y.is_some() { rows * columns } else { 0 })?;
    let bias = before_relu::<T>(cpu, (whole, columns), y, &mut gated, needs[2])?;
    let g: &[T] = if y.is_some() { &gated } else { whole };
    let by_rows = Matrix { data: g, offset: 0, line: columns, step: 1 };
    let by_columns = Matrix { data: g, offset: 0, line: 1, step: columns };
    let product = |shape: [usize; 2], depth, a, b| -> Result<Block<T>> {
        let mut out = cpu.pool().alloc::<T>(shape[0] * shape[1])?;
        Product { rows: shape[0], columns: shape[1], depth, a, b }.run(cpu, &mut out, Epilogue::default())?;
        Ok(out)
    };
    let of_x = || {
        let out = product([rows, depth], columns, by_rows, matrix(&wv, true))?;
        Ok(cpu.wrap([rows, depth].into(), out))
    };
    let of_weight = || {
        // A weight that lies transposed, `[in, out]`, has a gradient that lies so too.
        if wv.strides[0] == 1 && wv.strides[1] == columns && columns > 1 {
            let out = product([depth, columns], rows, matrix(&xv, true), by_columns)?;
            return Ok(cpu.wrap_strided([columns, depth].into(), vec![1, columns], out));
        }
        let out = product([columns, depth], rows, by_columns, matrix(&xv, true))?;
        Ok(cpu.wrap([columns, depth].into(), out))
    };
    Ok([
        needs[0].then(of_x).transpose()?,
        needs[1].then(of_weight).transpose()?,
        bias.map(|bias| cpu.wrap(Shape::from([columns]), bias)),
    ])
}

/// The sums of the columns of `g`, rows of `columns` elements.
pub(crate) fn column_sums<T: Real + Stored>(cpu: &CpuBackend, g: &[T], columns: usize) -> Result<Block<T>> {
    let sums = before_relu(cpu, (g, columns), None, &mut [], true)?;
    sums.map_or_else(|| cpu.pool().alloc_zeroed(columns), Ok)
}

/// Fills `gated` with `g`, rows of `columns` elements, where `y` is above 0, 0 where it is not, NaN where `y` is NaN, if there
/// is a `y`; and gives the sums of the columns of that, or of `g`, if they are needed.
fn before_relu<T: Real + Stored>(
    cpu: &CpuBackend,
    (g, columns): (&[T], usize),
    y: Option<&[T]>,
    gated: &mut [T],
    sums_needed: bool,
) -> Result<Option<Block<T>>> {
    let rows = g.len().checked_div(columns).unwrap_or(0);
    let mut bias = cpu.pool().alloc_zeroed::<T>(columns)?;
    if g.is_empty() || (y.is_none() && !sums_needed) {
        return Ok(sums_needed.then_some(bias));
    }
    let band = rows.div_ceil(BANDS) * columns;
    let count = (rows * columns).div_ceil(band);
    let mut sums = cpu.pool().alloc::<f64>(count * columns)?;
    let (gated_shared, sums_shared) = (Shared::new(gated), Shared::new(&mut sums));
    run_tasks(cpu, count, rows * columns, |i| {
        let span = i * band..((i + 1) * band).min(rows * columns);
        // SAFETY: each task has its own sums.
        let sums = unsafe { sums_shared.slice(i * columns..(i + 1) * columns) };
        let part = match y {
            Some(y) => {
                // SAFETY: each task has its own band of rows.
                let gated = unsafe { gated_shared.slice(span.clone()) };
                for ((out, &g), &y) in gated.iter_mut().zip(&g[span.clone()]).zip(&y[span]) {
                    *out = gate(y, g, T::default());
                }
                &*gated
            }
            None => &g[span],
        };
        sums.fill(0.0);
        if sums_needed {
            add_rows(cpu.isa(), part, columns, sums);
        }
        Ok(())
    })?;
    for (i, total) in bias.iter_mut().enumerate() {
        *total = T::of(sums.iter().skip(i).step_by(columns).sum());
    }
    Ok(sums_needed.then_some(bias))
}
