//! Indexing along an axis: reading elements by index and adding to elements by index.
//!
//! Along `axis`, a row-major array is `outer` blocks of `length` rows of `inner` elements.

use crate::CpuBackend;
use crate::long_sum::{RUN, add, add_chosen, round};
use crate::math::Float;
use crate::parallel::TASK;
use crate::storage::{Stored, for_dtype, for_float};
use crate::transfer;
use taper_backend::{Buffer, DType, Error, FusedOp, FusedOutput, Result, Rim, Saved, Shape};

/// The row-major values of `index`, each checked to be in `0..length`.
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
        DType::F32 => scattered::<f32, f64>(cpu, x, axis, index, source),
        DType::F64 => scattered::<f64, f64>(cpu, x, axis, index, source),
        DType::I64 => scattered::<i64, i64>(cpu, x, axis, index, source),
        DType::U8 => Err(cpu.unsupported("scatter_add", DType::U8)),
    }
}

/// Accumulators of type `Self` to which elements of type `T` are added.
trait Accumulator<T>: Stored {
    fn wide(x: T) -> Self;
    fn narrow(self) -> T;
    fn plus(self, x: T) -> Self;
}

macro_rules! sum {
    ($t:ty, $x:ty, $a:ident, $b:ident => $plus:expr) => {
        impl Accumulator<$x> for $t {
            #[inline(always)]
            fn wide(x: $x) -> Self {
                x as $t
            }
            #[inline(always)]
            fn narrow(self) -> $x {
                self as $x
            }
            #[inline(always)]
            fn plus(self, x: $x) -> Self {
                let ($a, $b) = (self, x as $t);
                $plus
            }
        }
    };
}
sum!(f32, f32, a, b => a + b);
sum!(f64, f32, a, b => a + b);
sum!(f64, f64, a, b => a + b);
sum!(i64, i64, a, b => a.wrapping_add(b));

/// If a sum has more than [`RUN`] terms, all sums are accumulated in `A`.
fn scattered<T: Stored + Accumulator<T>, A: Accumulator<T>>(
    cpu: &CpuBackend,
    x: &Buffer,
    axis: usize,
    index: &Buffer,
    source: &Buffer,
) -> Result<Buffer> {
    let length = x.shape()[axis];
    let (index, source) = (cpu.to_contiguous(index)?, cpu.to_contiguous(source)?);
    let places = checked(cpu, "scatter_add", &index, length)?;
    let added = cpu.view::<T>(&source)?.contiguous().unwrap_or_default();
    let inner = inner_of(x.shape(), axis);
    let (x_block, block) = (length * inner, index.shape()[axis] * inner);
    let mut out = cpu.pool().alloc::<T>(x.count())?;
    crate::copy::copy_to(cpu, &cpu.view::<T>(x)?, &mut out);
    if size_of::<T>() == size_of::<A>() || most_hits(places, inner, block, x_block) <= RUN {
        scatter(cpu, &mut out, x_block, inner, block, places, added);
        return Ok(cpu.wrap(x.shape().clone(), out));
    }
    let mut sums = cpu.pool().alloc::<A>(out.len())?;
    cpu.for_chunks(&mut sums, TASK, x.count(), |task, sums| {
        sums.iter_mut().zip(&out[task * TASK..]).for_each(|(sum, &x)| *sum = A::wide(x));
    });
    scatter(cpu, &mut sums, x_block, inner, block, places, added);
    cpu.for_chunks(&mut out, TASK, x.count(), |task, out| {
        out.iter_mut().zip(&sums[task * TASK..]).for_each(|(y, sum)| *y = sum.narrow());
    });
    Ok(cpu.wrap(x.shape().clone(), out))
}

/// An upper bound of the number of elements that are added to one place. With many places and few elements they are
/// counted, since sums in another type would take longer.
fn most_hits(places: &[i64], inner: usize, block: usize, x_block: usize) -> usize {
    let along = block / inner.max(1);
    if along <= RUN || block > x_block / 4 {
        return along;
    }
    let (mut most, mut hits) = (0, vec![0u8; x_block]);
    for places in places.chunks(block) {
        for (i, &place) in places.iter().enumerate() {
            let hits = &mut hits[place as usize * inner + i % inner];
            *hits = hits.saturating_add(1);
            most = most.max(*hits);
        }
        for (i, &place) in places.iter().enumerate() {
            hits[place as usize * inner + i % inner] = 0;
        }
    }
    usize::from(most)
}

/// Adds each element of `added` to the sum at its place, in blocks of `x_block` sums.
fn scatter<T: Stored, A: Accumulator<T>>(
    cpu: &CpuBackend,
    sums: &mut [A],
    x_block: usize,
    inner: usize,
    block: usize,
    places: &[i64],
    added: &[T],
) {
    // Equal indices occur only within an outer block, which one task processes in order.
    cpu.for_chunks(sums, x_block, places.len(), |outer, sums| {
        let range = outer * block..(outer + 1) * block;
        for (i, (&place, &value)) in places[range.clone()].iter().zip(&added[range]).enumerate() {
            let sum = &mut sums[place as usize * inner + i % inner];
            *sum = sum.plus(value);
        }
    });
}

pub(crate) fn fused(cpu: &CpuBackend, op: &FusedOp<'_>) -> Rim<FusedOutput> {
    let FusedOp::Embedding { weight, index } = *op else { return Ok(None) };
    Ok(embedding(cpu, weight, index)?.map(FusedOutput::from))
}

pub(crate) fn fused_grad(
    cpu: &CpuBackend,
    op: &FusedOp<'_>,
    g: &Buffer,
    _saved: &Saved,
    _needs: &[bool],
) -> Rim<Vec<Option<Buffer>>> {
    let FusedOp::Embedding { weight, index } = *op else { return Ok(None) };
    Ok(embedding_grad(cpu, g, index, weight.shape()[0])?.map(|gradient| vec![Some(gradient), None]))
}

fn embedding(cpu: &CpuBackend, weight: &Buffer, index: &Buffer) -> Rim<Buffer> {
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

fn embedding_grad(cpu: &CpuBackend, g: &Buffer, index: &Buffer, rows: usize) -> Rim<Buffer> {
    if matches!(g.dtype(), DType::F16 | DType::BF16) {
        let wide = embedding_grad(cpu, &transfer::cast(cpu, g, DType::F32)?, index, rows)?;
        return wide.map(|wide| transfer::cast(cpu, &wide, g.dtype())).transpose();
    }
    for_float!(g.dtype(), T => row_sums::<T>(cpu, g, index, rows).map(Some), else Ok(None))
}

/// For each of `rows` rows, the sum of the rows of `g` whose index in `index` is that row, in order.
fn row_sums<T: Float>(cpu: &CpuBackend, g: &Buffer, index: &Buffer, rows: usize) -> Result<Buffer> {
    let width = g.shape()[g.shape().rank() - 1];
    let (g, index) = (cpu.to_contiguous(g)?, cpu.to_contiguous(index)?);
    let places = checked(cpu, "embedding_grad", &index, rows)?;
    let added = cpu.view::<T>(&g)?.contiguous().unwrap_or_default();
    let mut out = cpu.pool().alloc_zeroed::<T>(rows * width)?;
    if out.is_empty() {
        return Ok(cpu.wrap([rows, width].into(), out));
    }
    // A counting sort: `uses` lists the uses of each row, row by row, and `ends` holds where each row's uses end.
    let mut ends = cpu.pool().alloc_zeroed::<i64>(rows + 1)?;
    places.iter().for_each(|&place| ends[place as usize + 1] += 1);
    for row in 0..rows {
        ends[row + 1] += ends[row];
    }
    let mut uses = cpu.pool().alloc::<i64>(places.len())?;
    for (i, &place) in places.iter().enumerate() {
        let next = &mut ends[place as usize];
        uses[*next as usize] = i as i64;
        *next += 1;
    }
    let group = rows.div_ceil(64).max(1);
    cpu.for_chunks(&mut out, group * width, added.len(), |task, out| {
        let mut sums = Vec::new();
        for (row, out) in (task * group..).zip(out.chunks_exact_mut(width)) {
            let start = if row == 0 { 0 } else { ends[row - 1] };
            let uses = &uses[start as usize..ends[row] as usize];
            if uses.len() <= RUN {
                uses.iter().for_each(|&i| add(cpu.isa(), &added[i as usize * width..][..width], out));
            } else {
                sums.clear();
                sums.resize(width, 0.0);
                add_chosen(cpu.isa(), added, uses, &mut sums);
                round(cpu.isa(), &sums, out);
            }
        }
    });
    Ok(cpu.wrap([rows, width].into(), out))
}
