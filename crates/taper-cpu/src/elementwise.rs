//! The loop that all elementwise operations share, with broadcasting.
//!
//! The result has the memory layout of its first operand that is not broadcast, so that channels-last stays
//! channels-last. Dimensions that one stride can walk in all operands are merged. The work is divided into pieces: an
//! operand whose elements of a piece are contiguous is read in place, any other is first gathered into a small buffer,
//! so that kernels take slices only. Kernels are `dyn Fn`s, called once per piece, so that this loop is compiled once
//! and not for each kernel.

use crate::CpuBackend;
use crate::copy::gather;
use crate::layout::{coalesce, dense_strides, is_row_major, memory_order, offset_of};
use crate::parallel::TASK;
use crate::storage::{Stored, View};
use crate::views::broadcast_strides;
use taper_backend::{Buffer, Result, Shape};

/// The most elements of a piece that has to be gathered, which fits the L1 cache.
const PIECE: usize = 1024;

/// Rows at least this long are pieces of their own, which saves gathering.
const LONG_ROW: usize = 256;

/// The common iteration order of broadcast operands, and the layout of the result.
struct BroadcastLayout {
    shape: Shape,
    strides: Vec<usize>,
    dims: Vec<usize>,
    /// The strides of each operand along `dims`.
    operands: Vec<Vec<usize>>,
    /// Whether every operand has the result's layout.
    flat: bool,
}

impl BroadcastLayout {
    fn new(shape: &Shape, operands: &[(&[usize], &[usize])]) -> Self {
        let full: Vec<Vec<usize>> =
            operands.iter().map(|(dims, strides)| broadcast_strides(dims, strides, shape)).collect();
        let repeats = |strides: &Vec<usize>| shape.iter().zip(strides).any(|(&size, &stride)| size > 1 && stride == 0);
        let order = full.iter().find(|&s| !repeats(s)).map_or((0..shape.rank()).collect(), |s| memory_order(s));
        let pick = |values: &[usize]| order.iter().map(|&i| values[i]).collect::<Vec<_>>();
        let ordered: Vec<Vec<usize>> = full.iter().map(|s| pick(s)).collect();
        let ordered: Vec<&[usize]> = ordered.iter().map(Vec::as_slice).collect();
        let (dims, operands) = coalesce(&pick(shape), &ordered);
        let flat = operands.iter().all(|s| is_row_major(&dims, s));
        Self { strides: dense_strides(shape, &order), shape: shape.clone(), dims, operands, flat }
    }

    /// The number of elements of the next piece, which starts at element `start`; `left` elements are left.
    fn piece(&self, start: usize, left: usize) -> usize {
        let row = self.dims.last().copied().unwrap_or(1);
        if self.flat {
            left
        } else if row >= LONG_ROW {
            left.min(row - start % row).min(PIECE)
        } else {
            left.min(PIECE)
        }
    }

    fn source<'a, T>(&'a self, i: usize, x: &View<'a, T>) -> Operand<'a, T> {
        let strides = &self.operands[i];
        let flat = is_row_major(&self.dims, strides);
        Operand { data: x.data, offset: x.offset, dims: &self.dims, strides, flat }
    }
}

/// An operand with its strides along the merged dimensions.
struct Operand<'a, T> {
    data: &'a [T],
    offset: usize,
    dims: &'a [usize],
    strides: &'a [usize],
    flat: bool,
}

impl<'a, T: Stored> Operand<'a, T> {
    /// Elements `start..start + len` in the iteration order, in place or gathered into `buffer`.
    fn read<'b>(&self, start: usize, len: usize, buffer: &'b mut Vec<T>) -> &'b [T]
    where
        'a: 'b,
    {
        if self.flat {
            return &self.data[self.offset + start..][..len];
        }
        let row = self.dims[self.dims.len() - 1];
        if self.strides[self.strides.len() - 1] == 1 && start % row + len <= row {
            let outer = self.dims.len() - 1;
            let at = self.offset + start % row + offset_of(&self.dims[..outer], &self.strides[..outer], start / row);
            return &self.data[at..][..len];
        }
        buffer.resize(len, T::from_f64(0.0));
        gather(self.dims, self.strides, self.data, self.offset, start, buffer);
        buffer
    }
}

/// A kernel fills its last slice from the others, which have the same length.
type Kernel1<'k, A, Y> = dyn Fn(&[A], &mut [Y]) + Sync + 'k;
type Kernel2<'k, A, B, Y> = dyn Fn(&[A], &[B], &mut [Y]) + Sync + 'k;
type Kernel3<'k, A, B, C, Y> = dyn Fn(&[A], &[B], &[C], &mut [Y]) + Sync + 'k;

/// `y = f(x)`: `f` fills its second slice from its first.
pub(crate) fn map1<A: Stored, Y: Stored>(cpu: &CpuBackend, x: &Buffer, f: &Kernel1<A, Y>) -> Result<Buffer> {
    let view = cpu.view::<A>(x)?;
    let layout = BroadcastLayout::new(x.shape(), &[(view.shape, view.strides)]);
    let source = layout.source(0, &view);
    run(cpu, &layout, |start, out, buffers: &mut Vec<A>| f(source.read(start, out.len(), buffers), out))
}

/// `y = f(a, b)`, broadcasting; `op` names the caller in errors.
pub(crate) fn map2<A: Stored, B: Stored, Y: Stored>(
    cpu: &CpuBackend,
    op: &'static str,
    a: &Buffer,
    b: &Buffer,
    f: &Kernel2<A, B, Y>,
) -> Result<Buffer> {
    let (va, vb) = (cpu.view::<A>(a)?, cpu.view::<B>(b)?);
    let shape = a.shape().broadcast_with(b.shape(), op)?;
    let layout = BroadcastLayout::new(&shape, &[(va.shape, va.strides), (vb.shape, vb.strides)]);
    let (sa, sb) = (layout.source(0, &va), layout.source(1, &vb));
    run(cpu, &layout, |start, out, (ba, bb): &mut (Vec<A>, Vec<B>)| {
        f(sa.read(start, out.len(), ba), sb.read(start, out.len(), bb), out);
    })
}

/// `y = f(a, b, c)`, broadcasting. The result has the layout of `b`, else of `c`, else of `a`: the first that is not
/// broadcast.
pub(crate) fn map3<A: Stored, B: Stored, C: Stored, Y: Stored>(
    cpu: &CpuBackend,
    op: &'static str,
    [a, b, c]: [&Buffer; 3],
    f: &Kernel3<A, B, C, Y>,
) -> Result<Buffer> {
    let (va, vb, vc) = (cpu.view::<A>(a)?, cpu.view::<B>(b)?, cpu.view::<C>(c)?);
    let shape = a.shape().broadcast_with(b.shape(), op)?.broadcast_with(c.shape(), op)?;
    let layout =
        BroadcastLayout::new(&shape, &[(vb.shape, vb.strides), (vc.shape, vc.strides), (va.shape, va.strides)]);
    let (sb, sc, sa) = (layout.source(0, &vb), layout.source(1, &vc), layout.source(2, &va));
    run(cpu, &layout, |start, out, (ba, bb, bc): &mut (Vec<A>, Vec<B>, Vec<C>)| {
        let len = out.len();
        f(sa.read(start, len, ba), sb.read(start, len, bb), sc.read(start, len, bc), out);
    })
}

/// Fills a new buffer piece by piece with `f(start, out, buffers)`; `buffers` is scratch of the task.
fn run<Y: Stored, S: Default>(
    cpu: &CpuBackend,
    layout: &BroadcastLayout,
    f: impl Fn(usize, &mut [Y], &mut S) + Send + Sync,
) -> Result<Buffer> {
    let count = layout.shape.count();
    let mut block = cpu.pool().alloc::<Y>(count)?;
    cpu.for_chunks(&mut block, TASK, count, |task, mut rest| {
        let mut start = task * TASK;
        let mut buffers = S::default();
        while !rest.is_empty() {
            let (out, tail) = rest.split_at_mut(layout.piece(start, rest.len()));
            start += out.len();
            f(start - out.len(), out, &mut buffers);
            rest = tail;
        }
    });
    Ok(cpu.wrap_strided(layout.shape.clone(), layout.strides.clone(), block))
}
