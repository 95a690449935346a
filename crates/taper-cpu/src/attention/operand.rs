//! The heads of operands, copied in the order in which the micro-kernels read them.

use super::block::{Left, Right};
use crate::gemm::{Matrix, Real, pack_columns};
use crate::isa::multiversion;
use crate::long_sum::add;
use crate::math::Float;
use crate::storage::View;
use crate::{CpuBackend, Isa};
use std::ops::Range;

/// Head `index` of `[N, H, L, W]`, in the order of N · H, as a matrix of L lines.
pub(super) fn head<'a, T>(x: &View<'a, T>, index: usize) -> Matrix<'a, T> {
    let (sample, head) = (index / x.shape[1], index % x.shape[1]);
    let offset = x.offset + sample * x.strides[0] + head * x.strides[1];
    Matrix { data: x.data, offset, line: x.strides[2], step: x.strides[3] }
}

/// The lines of a head, one after another, each padded with zeros to whole vectors: a left operand, and a right one.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a, T> {
    data: &'a [T],
    pitch: usize,
    wide: usize,
}

impl<'a, T: Real> Lines<'a, T> {
    /// The elements from one line of `width` elements to the next.
    pub(super) fn pitch(cpu: &CpuBackend, width: usize) -> usize {
        width.next_multiple_of(T::kernel(cpu.isa()).lanes)
    }

    /// Copies `lines` of `from`, of `width` elements and times `scale`, to `to`.
    pub(super) fn copy(
        cpu: &CpuBackend,
        from: &Matrix<T>,
        lines: Range<usize>,
        width: usize,
        scale: f64,
        to: &'a mut [T],
    ) -> Self {
        let pitch = Self::pitch(cpu, width);
        for (line, to) in lines.zip(to.chunks_exact_mut(pitch)) {
            let (to, rest) = to.split_at_mut(width);
            let start = from.at(line, 0);
            if from.step == 1 {
                to.copy_from_slice(&from.data[start..start + width]);
            } else {
                to.iter_mut().enumerate().for_each(|(k, to)| *to = from.data[start + k * from.step]);
            }
            rest.fill(T::default());
        }
        if scale != 1.0 {
            scale_all(cpu.isa(), T::of(scale), to);
        }
        Self::of(cpu, to, width)
    }

    /// Lines that were copied before.
    pub(super) fn of(cpu: &CpuBackend, data: &'a [T], width: usize) -> Self {
        Self { data, pitch: Self::pitch(cpu, width), wide: 2 * T::kernel(cpu.isa()).lanes }
    }

    /// Line `i`, with its padding.
    pub(super) fn line(&self, i: usize) -> &'a [T] {
        &self.data[i * self.pitch..][..self.pitch]
    }

    /// The lines from `first` on as the rows of a left operand.
    pub(super) fn left(&self, first: usize) -> Left<'a, T> {
        Left { data: &self.data[first * self.pitch..], row: self.pitch, step: 1 }
    }

    /// The lines from `first` on as the k of a right operand.
    pub(super) fn right(&self, first: usize) -> Right<'a, T> {
        Right { data: &self.data[first * self.pitch..], panel: self.wide, step: self.pitch }
    }
}

/// The lines of a head as the columns of a right operand: transposed, in panels.
#[derive(Clone, Copy)]
pub(super) struct Columns<'a, T> {
    data: &'a [T],
    width: usize,
    wide: usize,
}

impl<'a, T: Real> Columns<'a, T> {
    /// The elements that `lines` lines of `width` elements take.
    pub(super) fn size(cpu: &CpuBackend, lines: usize, width: usize) -> usize {
        lines.next_multiple_of(2 * T::kernel(cpu.isa()).lanes) * width
    }

    /// Copies `lines` of `from`, of `width` elements, to `to`.
    pub(super) fn copy(cpu: &CpuBackend, from: &Matrix<T>, lines: Range<usize>, width: usize, to: &'a mut [T]) -> Self {
        let kernel = T::kernel(cpu.isa());
        let wide = 2 * kernel.lanes;
        for (panel, to) in to.chunks_exact_mut(wide * width).enumerate() {
            let start = lines.start + panel * wide;
            pack_columns(&kernel, from, start..(start + wide).min(lines.end), 0..width, wide, to);
        }
        Self::of(cpu, to, width)
    }

    /// Columns that were copied before.
    pub(super) fn of(cpu: &CpuBackend, data: &'a [T], width: usize) -> Self {
        Self { data, width, wide: 2 * T::kernel(cpu.isa()).lanes }
    }

    /// The columns from `first` on, which begins a panel.
    pub(super) fn right(&self, first: usize) -> Right<'a, T> {
        debug_assert!(first.is_multiple_of(self.wide));
        Right { data: &self.data[first * self.width..], panel: self.wide * self.width, step: self.wide }
    }
}

multiversion! {
    fn scale_all<T: Float>(factor: T, x: &mut [T]) {
        x.iter_mut().for_each(|x| *x = *x * factor);
    }
}

/// Adds a block of the mask of head `index` to the `scores` of `rows` and `keys`, whose rows are `pitch` elements apart.
pub(super) fn add_mask<T: Float>(
    isa: Isa,
    mask: &View<T>,
    index: usize,
    rows: Range<usize>,
    keys: Range<usize>,
    (scores, pitch): (&mut [T], usize),
) {
    let mask = head(mask, index);
    for (row, scores) in rows.zip(scores.chunks_exact_mut(pitch)) {
        let start = mask.offset + row * mask.line + keys.start * mask.step;
        let scores = &mut scores[..keys.len()];
        match mask.step {
            1 => add(isa, &mask.data[start..start + keys.len()], scores),
            step => scores.iter_mut().enumerate().for_each(|(i, score)| *score += mask.data[start + i * step]),
        }
    }
}
