//! Reductions (sums, maxima and minima) over axes.
//!
//! Dimensions are walked in memory order and merged where one stride can walk them, so that channels-last images are as
//! fast as row-major ones. If the innermost dimension is reduced, rows are reduced in 16 lanes; if it is kept, whole
//! rows are added to a row of accumulators. Long reductions are divided into parts of a fixed size, joined in order.
//! f32 is summed in f64.

use crate::isa::multiversion;
use crate::layout::{dense_strides, memory_order, offset_of};
use crate::storage::Stored;
use crate::{CpuBackend, transfer};
use std::ops::Range;
use taper_backend::{Buffer, DType, Error, ReduceOp, Result};

/// The number of elements of one part of a long reduction.
const PART: usize = 64 * 1024;
/// The number of columns that are accumulated at a time: their accumulators stay in the L1 cache.
const COLUMNS: usize = 512;
const LANES: usize = 16;
/// The most rows of a running sum. Its error grows with its length, so longer sums are sums of running sums.
const RUN: usize = 256;

/// A reduction operation, with an accumulator.
trait Reducer<T>: Copy + Send + Sync {
    type Acc: Copy + Send + Sync;
    const START: Self::Acc;
    fn step(acc: Self::Acc, x: T) -> Self::Acc;
    fn join(a: Self::Acc, b: Self::Acc) -> Self::Acc;
    fn end(acc: Self::Acc) -> T;
}

#[derive(Clone, Copy)]
struct Sum;
#[derive(Clone, Copy)]
struct Max;
#[derive(Clone, Copy)]
struct Min;

macro_rules! reducer {
    ($op:ty, $t:ty, $acc:ty, $start:expr, $a:ident, $x:ident => $join:expr) => {
        impl Reducer<$t> for $op {
            type Acc = $acc;
            const START: $acc = $start;
            #[inline(always)]
            fn step($a: $acc, x: $t) -> $acc {
                let $x = x as $acc;
                $join
            }
            #[inline(always)]
            fn join($a: $acc, $x: $acc) -> $acc {
                $join
            }
            #[inline(always)]
            fn end(acc: $acc) -> $t {
                acc as $t
            }
        }
    };
}
reducer!(Sum, f32, f64, 0.0, a, x => a + x);
reducer!(Sum, f64, f64, 0.0, a, x => a + x);
reducer!(Sum, i64, i64, 0, a, x => a.wrapping_add(x));
reducer!(Max, f32, f32, f32::NEG_INFINITY, a, x => if x > a || x.is_nan() { x } else { a });
reducer!(Max, f64, f64, f64::NEG_INFINITY, a, x => if x > a || x.is_nan() { x } else { a });
reducer!(Max, i64, i64, i64::MIN, a, x => a.max(x));
reducer!(Min, f32, f32, f32::INFINITY, a, x => if x < a || x.is_nan() { x } else { a });
reducer!(Min, f64, f64, f64::INFINITY, a, x => if x < a || x.is_nan() { x } else { a });
reducer!(Min, i64, i64, i64::MAX, a, x => a.min(x));

multiversion! {
    /// Reduces all of `x`, in lanes that are joined in order.
    fn row<T: Stored, R: Reducer<T>>(x: &[T]) -> R::Acc {
        let mut lanes = [R::START; LANES];
        let (groups, rest) = x.as_chunks::<LANES>();
        for group in groups {
            lanes.iter_mut().zip(group).for_each(|(lane, &x)| *lane = R::step(*lane, x));
        }
        lanes.iter_mut().zip(rest).for_each(|(lane, &x)| *lane = R::step(*lane, x));
        lanes.into_iter().fold(R::START, R::join)
    }
}

multiversion! {
    /// Adds `x[i]` to accumulator `acc[i]`.
    fn column<T: Stored, R: Reducer<T>>(acc: &mut [R::Acc], x: &[T]) {
        acc.iter_mut().zip(x).for_each(|(acc, &x)| *acc = R::step(*acc, x));
    }
}

/// The sizes and strides of some dimensions, outermost first.
#[derive(Default)]
struct Axes {
    dims: Vec<usize>,
    strides: Vec<usize>,
}

impl Axes {
    fn push(&mut self, size: usize, stride: usize) {
        self.dims.push(size);
        self.strides.push(stride);
    }

    fn count(&self) -> usize {
        self.dims.iter().product()
    }

    fn offset(&self, number: usize) -> usize {
        offset_of(&self.dims, &self.strides, number)
    }
}

/// A reduction over merged dimensions: `kept` and `reduced` are all but the innermost dimension, which is `inner`.
struct Task<'a, T> {
    isa: crate::Isa,
    data: &'a [T],
    kept: Axes,
    reduced: Axes,
    inner: usize,
    step: usize,
}

impl<'a, T: Stored> Task<'a, T> {
    /// Elements `from..to` of the row at `base`, in place or gathered into `buffer`.
    fn elements<'b>(&self, base: usize, from: usize, to: usize, buffer: &'b mut Vec<T>) -> &'b [T]
    where
        'a: 'b,
    {
        if self.step == 1 {
            return &self.data[base + from..base + to];
        }
        buffer.clear();
        if self.step == 0 {
            buffer.resize(to - from, self.data[base]);
        } else {
            buffer.extend(self.data[base + from * self.step..].iter().step_by(self.step).take(to - from));
        }
        buffer
    }

    /// If the innermost dimension is reduced: reduces elements `from..to` of those that output `o` is made of.
    fn rows<R: Reducer<T>>(&self, o: usize, from: usize, to: usize, buffer: &mut Vec<T>) -> R::Acc {
        let base = self.kept.offset(o);
        let (mut at, mut acc) = (from, R::START);
        while at < to {
            let column = at % self.inner;
            let len = (self.inner - column).min(to - at).min(RUN * LANES);
            let start = base + self.reduced.offset(at / self.inner);
            acc = R::join(acc, row::<T, R>(self.isa, self.elements(start, column, column + len, buffer)));
            at += len;
        }
        acc
    }

    /// If the innermost dimension is kept: reduces rows `from..to` of block `o` to columns `left..left + acc.len()`.
    fn columns<R: Reducer<T>>(
        &self,
        o: usize,
        left: usize,
        from: usize,
        to: usize,
        acc: &mut [R::Acc],
        buffer: &mut Vec<T>,
    ) {
        let base = self.kept.offset(o);
        let mut add = |acc: &mut [R::Acc], rows: Range<usize>| {
            acc.fill(R::START);
            for r in rows {
                let start = base + self.reduced.offset(r);
                column::<T, R>(self.isa, acc, self.elements(start, left, left + acc.len(), buffer));
            }
        };
        add(acc, from..to.min(from + RUN));
        if to > from + RUN {
            let mut run = vec![R::START; acc.len()];
            for at in (from + RUN..to).step_by(RUN) {
                add(&mut run, at..to.min(at + RUN));
                acc.iter_mut().zip(&run).for_each(|(acc, &run)| *acc = R::join(*acc, run));
            }
        }
    }

    /// Fills `out` (in memory order) if the innermost dimension is reduced.
    fn run_rows<R: Reducer<T>>(&self, cpu: &CpuBackend, out: &mut [T]) {
        let length = self.reduced.count() * self.inner;
        let cost = out.len() * length;
        if length <= PART {
            let group = (PART / length.max(1)).max(1);
            return cpu.for_chunks(out, group, cost, |task, out| {
                let mut buffer = Vec::new();
                for (i, y) in out.iter_mut().enumerate() {
                    *y = R::end(self.rows::<R>(task * group + i, 0, length, &mut buffer));
                }
            });
        }
        let parts = length.div_ceil(PART);
        let found = cpu.map_tasks(out.len() * parts, cost, |task| {
            let from = task % parts * PART;
            self.rows::<R>(task / parts, from, (from + PART).min(length), &mut Vec::new())
        });
        for (y, parts) in out.iter_mut().zip(found.chunks(parts)) {
            *y = R::end(parts.iter().copied().fold(R::START, R::join));
        }
    }

    /// Fills `out` (in memory order) if the innermost dimension is kept.
    fn run_columns<R: Reducer<T>>(&self, cpu: &CpuBackend, out: &mut [T]) {
        let (width, length) = (self.inner, self.reduced.count());
        let cost = out.len() * length;
        let columns = width.min(COLUMNS);
        let rows = (PART / columns.max(1)).max(32);
        if length <= rows {
            // A task takes whole rows of several outer indices, or some columns of one (not past the end of its row).
            let group = if width <= COLUMNS {
                (PART / (width * length).max(1)).max(1) * width
            } else if width.is_multiple_of(COLUMNS) || out.len() == width {
                COLUMNS
            } else {
                width
            };
            return cpu.for_chunks(out, group, cost, |task, mut out| {
                let mut buffer = Vec::new();
                let mut acc = vec![R::START; columns];
                let mut at = task * group;
                while !out.is_empty() {
                    let (o, left) = (at / width, at % width);
                    let len = (width - left).min(columns);
                    let (part, rest) = std::mem::take(&mut out).split_at_mut(len);
                    self.columns::<R>(o, left, 0, length, &mut acc[..len], &mut buffer);
                    part.iter_mut().zip(&acc).for_each(|(y, &acc)| *y = R::end(acc));
                    at += len;
                    out = rest;
                }
            });
        }
        let (blocks, parts) = (width.div_ceil(COLUMNS), length.div_ceil(rows));
        let found = cpu.map_tasks(out.len() / width * blocks * parts, cost, |task| {
            let (o, left, from) = (task / (blocks * parts), task / parts % blocks * COLUMNS, task % parts * rows);
            let mut acc = vec![R::START; (width - left).min(COLUMNS)];
            self.columns::<R>(o, left, from, (from + rows).min(length), &mut acc, &mut Vec::new());
            acc
        });
        for (i, parts) in found.chunks(parts).enumerate() {
            let start = i / blocks * width + i % blocks * COLUMNS;
            for j in 0..parts[0].len() {
                out[start + j] = R::end(parts.iter().fold(R::START, |acc, part| R::join(acc, part[j])));
            }
        }
    }
}

pub(crate) fn reduce(cpu: &CpuBackend, op: ReduceOp, x: &Buffer, axes: &[usize]) -> Result<Buffer> {
    if op != ReduceOp::Sum && axes.iter().any(|&axis| x.shape()[axis] == 0) {
        let detail = format!("the largest or smallest of no elements: dimensions {axes:?} of {} are empty", x.shape());
        return Err(Error::argument(name(op), detail));
    }
    match x.dtype() {
        DType::F32 => typed::<f32>(cpu, op, x, axes),
        DType::F64 => typed::<f64>(cpu, op, x, axes),
        DType::I64 => typed::<i64>(cpu, op, x, axes),
        DType::F16 | DType::BF16 => {
            let y = reduce(cpu, op, &transfer::cast(cpu, x, DType::F32)?, axes)?;
            transfer::cast(cpu, &y, x.dtype())
        }
        DType::U8 => Err(cpu.unsupported(name(op), DType::U8)),
    }
}

fn typed<T: Stored>(cpu: &CpuBackend, op: ReduceOp, x: &Buffer, axes: &[usize]) -> Result<Buffer>
where
    Sum: Reducer<T>,
    Max: Reducer<T>,
    Min: Reducer<T>,
{
    match op {
        ReduceOp::Sum => with::<T, Sum>(cpu, x, axes),
        ReduceOp::Max => with::<T, Max>(cpu, x, axes),
        ReduceOp::Min => with::<T, Min>(cpu, x, axes),
    }
}

fn with<T: Stored, R: Reducer<T>>(cpu: &CpuBackend, x: &Buffer, axes: &[usize]) -> Result<Buffer> {
    let view = cpu.view::<T>(x)?;
    let shape = x.shape().reduced(axes);
    let order = memory_order(view.strides);
    let strides = dense_strides(&shape, &order);
    let mut block = cpu.pool().alloc::<T>(shape.count())?;
    if axes.iter().any(|&axis| x.shape()[axis] == 0) {
        block.fill(R::end(R::START));
        return Ok(cpu.wrap_strided(shape, strides, block));
    }
    if shape.count() == 0 {
        return Ok(cpu.wrap_strided(shape, strides, block));
    }

    // Each dimension's size, stride and whether it is reduced, outermost first. Adjacent dimensions of the same kind
    // are merged if one stride can walk them.
    let mut merged: Vec<(usize, usize, bool)> = Vec::new();
    for &i in order.iter().filter(|&&i| view.shape[i] != 1) {
        let (size, stride, reduced) = (view.shape[i], view.strides[i], axes.contains(&i));
        match merged.last_mut() {
            Some(last) if last.2 == reduced && last.1 == stride * size => *last = (last.0 * size, stride, reduced),
            _ => merged.push((size, stride, reduced)),
        }
    }
    let (inner, step, inner_reduced) = merged.pop().unwrap_or((1, 1, true));
    let (mut kept, mut reduced) = (Axes::default(), Axes::default());
    for (size, stride, is_reduced) in merged {
        if is_reduced { reduced.push(size, stride) } else { kept.push(size, stride) }
    }
    let task = Task { isa: cpu.isa(), data: &view.data[view.offset..], kept, reduced, inner, step };
    if inner_reduced {
        task.run_rows::<R>(cpu, &mut block);
    } else {
        task.run_columns::<R>(cpu, &mut block);
    }
    Ok(cpu.wrap_strided(shape, strides, block))
}

/// The name of the operation in error messages.
fn name(op: ReduceOp) -> &'static str {
    match op {
        ReduceOp::Sum => "sum",
        ReduceOp::Max => "max",
        ReduceOp::Min => "min",
    }
}
