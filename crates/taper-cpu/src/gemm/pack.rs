//! Packing: copies of matrix blocks in the order in which the micro-kernel reads them.

use super::kernel::{Kernel, Real};
use std::ops::Range;

/// A read-only matrix as lines along `k`, the dimension that a product sums over: element `(i, k)` is at `offset + i ·
/// line + k · step`. The lines of the left operand are its rows, those of the right operand its columns.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, T> {
    pub data: &'a [T],
    pub offset: usize,
    pub line: usize,
    pub step: usize,
}

impl<T: Real> Matrix<'_, T> {
    /// The index of element `(line, k)`.
    pub fn at(&self, line: usize, k: usize) -> usize {
        self.offset + line * self.line + k * self.step
    }

    /// The address of `length` elements of a contiguous line, from `k` on.
    pub fn part(&self, line: usize, k: usize, length: usize) -> *const T {
        let start = self.at(line, k);
        self.data[start..start + length].as_ptr()
    }
}

/// The layout of a packed panel of the row operand: elements from one row to the next, and from one `k` to the next.
#[derive(Clone, Copy)]
pub(crate) struct RowLayout {
    pub row: usize,
    pub step: usize,
    /// Elements of a panel.
    pub size: usize,
}

impl RowLayout {
    /// The layout to which panels of `rows` × `depth` are cheapest to copy from `source`: each line stays contiguous if
    /// `source` is contiguous along `k`.
    pub fn of<T: Real>(source: &Matrix<T>, rows: usize, depth: usize) -> Self {
        if source.step == 1 && source.line != 1 {
            // An odd number of cache lines, so that the rows do not compete for a few sets of the cache.
            let row = (depth.div_ceil(16) | 1) * 16;
            Self { row, step: 1, size: rows * row }
        } else {
            Self { row: 1, step: rows, size: rows * depth }
        }
    }
}

/// The number of `k` for which several panels are packed together, and which are prefetched ahead.
pub(super) const TOGETHER: usize = 8;

/// Copies a short slice without a call.
#[inline(always)]
fn copy<T: Copy>(from: &[T], to: &mut [T]) {
    let ((from, from_rest), (to, to_rest)) = (from.as_chunks::<16>(), to.as_chunks_mut::<16>());
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    let ((from, from_rest), (to, to_rest)) = (from_rest.as_chunks::<2>(), to_rest.as_chunks_mut::<2>());
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    for (to, from) in to_rest.iter_mut().zip(from_rest) {
        *to = *from;
    }
}

/// Prefetches the cache line at `place` to the L1 cache, on targets that have the instruction.
#[inline(always)]
fn fetch<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of the target; a prefetch reads nothing.
    unsafe {
        use std::arch::x86_64::*;
        _mm_prefetch::<_MM_HINT_T0>(place.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// Prefetches a part of `lines` × `depths` of `source`, which will be copied soon, to the L2 cache, if lines are
/// contiguous: the `i`th of `n` equal shares of each line.
pub(crate) fn fetch_rows<T: Real>(
    source: &Matrix<T>,
    lines: Range<usize>,
    depths: Range<usize>,
    (i, n): (usize, usize),
) {
    const LINE: usize = 64;
    if source.step != 1 || source.line == 1 {
        return;
    }
    let depth = depths.len() * size_of::<T>();
    for line in lines {
        let start = source.data.as_ptr().wrapping_add(source.at(line, depths.start)).cast::<u8>();
        for place in (depth * i / n..depth * (i + 1) / n).step_by(LINE) {
            fetch(start.wrapping_add(place));
        }
    }
}

/// Copies `lines` × `depths` of `source` to `out` as `layout` says.
pub(crate) fn pack_rows<T: Real>(
    kernel: &Kernel<T>,
    source: &Matrix<T>,
    lines: Range<usize>,
    depths: Range<usize>,
    layout: RowLayout,
    out: &mut [T],
) {
    if layout.step == 1 {
        let last = lines.end.saturating_sub(1);
        for (i, out) in lines.zip(out.chunks_mut(layout.row)) {
            let start = source.at(i, depths.start);
            let next = source.part((i + 1).min(last), depths.start, depths.len());
            for line in (0..depths.len()).step_by(64 / size_of::<T>()) {
                fetch(next.wrapping_add(line));
            }
            out[..depths.len()].copy_from_slice(&source.data[start..start + depths.len()]);
        }
    } else {
        pack_across(kernel, source, lines, depths, layout.step, out);
    }
}

/// Copies the columns `lines` × `depths` of `source` to `out` as `[depth][width]`, with zeros beyond the last column.
pub(crate) fn pack_columns<T: Real>(
    kernel: &Kernel<T>,
    source: &Matrix<T>,
    lines: Range<usize>,
    depths: Range<usize>,
    width: usize,
    out: &mut [T],
) {
    if lines.len() < width {
        for out in out.chunks_mut(width).take(depths.len()) {
            out[lines.len()..].fill(T::default());
        }
    }
    pack_across(kernel, source, lines, depths, width, out);
}

/// `out[k · width + i] = source(i, k)`.
fn pack_across<T: Real>(
    kernel: &Kernel<T>,
    source: &Matrix<T>,
    lines: Range<usize>,
    depths: Range<usize>,
    width: usize,
    out: &mut [T],
) {
    let count = lines.len();
    if source.line == 1 {
        for (i, k) in depths.enumerate() {
            let start = source.at(lines.start, k);
            let line = &source.data[start..start + count];
            for ahead in (0..count).step_by(64 / size_of::<T>()) {
                fetch(line.as_ptr().wrapping_add(TOGETHER * source.step + ahead));
            }
            let Some(out) = out.get_mut(i * width..) else { break };
            // A line shorter than a vector is copied with what follows it, which the next line overwrites: copies of a
            // fixed length take no call.
            let whole = (source.data[start..].first_chunk::<16>(), out.first_chunk_mut::<16>());
            match whole {
                (Some(line), Some(out)) if count < 16 && count == width => *out = *line,
                _ => copy(line, &mut out[..count]),
            }
        }
    } else if source.step == 1 {
        // Whole blocks, then the columns that are left of their lines, then the lines that are left.
        let (mut high, mut deep) = (0, 0);
        if let Some(transpose) = kernel.transpose {
            let side = kernel.lanes;
            (high, deep) = (count / side * side, depths.len() / side * side);
            for i in (0..high).step_by(side) {
                for k in (0..deep).step_by(side) {
                    let first = source.at(lines.start + i, depths.start + k);
                    let from = &source.data[first..first + (side - 1) * source.line + side];
                    let to = &mut out[k * width + i..][..(side - 1) * width + side];
                    // SAFETY: the backend has the instruction set; both slices hold the block.
                    unsafe { transpose(from.as_ptr(), source.line, to.as_mut_ptr(), width) };
                }
            }
        }
        if deep < depths.len() {
            let out = &mut out[deep * width..];
            transpose(source, lines.start..lines.start + high, depths.start + deep..depths.end, width, out);
        }
        if high < count {
            transpose(source, lines.start + high..lines.end, depths, width, &mut out[high..]);
        }
    } else {
        for (k, out) in depths.zip(out.chunks_mut(width)) {
            for (i, out) in lines.clone().zip(out) {
                *out = source.data[source.at(i, k)];
            }
        }
    }
}

/// `out[k · width + i] = source(i, k)` of a source whose lines are contiguous.
fn transpose<T: Real>(source: &Matrix<T>, lines: Range<usize>, depths: Range<usize>, width: usize, out: &mut [T]) {
    let (count, depth) = (lines.len(), depths.len());
    let row = |i: usize| {
        let start = source.at(lines.start + i, depths.start);
        &source.data[start..start + depth]
    };
    // Four lines at a time: each is read by whole cache lines.
    let whole = count / 4 * 4;
    for i in (0..whole).step_by(4) {
        let rows = [row(i), row(i + 1), row(i + 2), row(i + 3)];
        for (k, out) in out.chunks_mut(width).take(depth).enumerate() {
            let four: [T; 4] = std::array::from_fn(|j| rows[j][k]);
            out[i..i + 4].copy_from_slice(&four);
        }
    }
    for i in whole..count {
        for (out, &value) in out.chunks_mut(width).zip(row(i)) {
            out[i] = value;
        }
    }
}

/// The columns of an operand, divided into panels that are two vectors wide; the last may be one vector wide.
#[derive(Clone, Copy)]
pub(crate) struct Panels {
    pub columns: usize,
    pub lanes: usize,
}

impl Panels {
    pub fn new<T>(kernel: &Kernel<T>, columns: usize) -> Self {
        Self { columns, lanes: kernel.lanes }
    }

    /// The number of panels.
    pub fn count(&self) -> usize {
        self.columns.div_ceil(2 * self.lanes)
    }

    /// The columns of panel `i`.
    pub fn range(&self, i: usize) -> Range<usize> {
        let start = i * 2 * self.lanes;
        start..(start + 2 * self.lanes).min(self.columns)
    }

    /// The width of panel `i` in vectors, 1 or 2.
    pub fn vectors(&self, i: usize) -> usize {
        self.range(i).len().div_ceil(self.lanes)
    }

    /// The padded width of all panels together: elements for each `k`.
    pub fn padded(&self) -> usize {
        self.columns.next_multiple_of(self.lanes)
    }
}
