//! 1 × 1 convolutions: a matrix product over positions, `y[p, co] = Σ_ci x[p, ci] · weight[co, ci]`, and its two gradients.
//!
//! Channels-last pictures are that product's operands as they lie. Those that lie otherwise are copied first; a stride
//! takes a copy of the positions that it reaches.

use super::source::Source;
use crate::CpuBackend;
use crate::gemm::{Epilogue, Matrix, Product, Real, Shared, run_tasks};
use crate::linear::column_sums;
use crate::memory::Block;
use crate::storage::{Stored, View};
use taper_backend::{Conv2dSpec, Result};

/// A convolution whose every output is computed from one position of the input.
pub(crate) struct Pointwise<'a> {
    pub cpu: &'a CpuBackend,
    /// `[N, C_in, H, W]` of the input.
    pub inputs: [usize; 4],
    /// `[N, C_out, H, W]` of the output.
    pub outputs: [usize; 4],
    pub stride: [usize; 2],
}

/// Whether a convolution with a kernel of this height and width is one.
pub(crate) fn is_pointwise(spec: &Conv2dSpec, kernel: [usize; 2]) -> bool {
    kernel == [1, 1] && spec.groups == 1 && spec.padding == [0, 0]
}

/// Positions `[N · H · W, C]`, row-major: as they lie, or copied.
enum Positions<'a, T: Stored> {
    Lent(&'a [T]),
    Copied(Block<T>),
}

impl<T: Stored> Positions<'_, T> {
    fn elements(&self) -> &[T] {
        match self {
            Self::Lent(elements) => elements,
            Self::Copied(block) => block,
        }
    }
}

/// The positions of a `source` of these sizes.
fn positions<'a, T: Real + Stored>(cpu: &CpuBackend, source: Source<'a, T>) -> Result<Positions<'a, T>> {
    if let Source::Plain(view) = source
        && let Some(elements) = view.dense_nhwc()
    {
        return Ok(Positions::Lent(elements));
    }
    let [n, c, h, w] = source.shape();
    let mut copy = cpu.pool().alloc::<T>(n * h * w * c)?;
    let shared = Shared::new(&mut copy);
    run_tasks(cpu, n * h, n * h * w * c, |row| {
        let (image, y) = (row / h, (row % h) as isize);
        // SAFETY: each task has its own row.
        let out = unsafe { shared.slice(row * w * c..(row + 1) * w * c) };
        source.load(cpu.isa(), image, 0..c, y..y + 1, 0..w as isize, out);
        Ok(())
    })?;
    Ok(Positions::Copied(copy))
}

/// `weight` as an operand whose lines are its outputs, or its inputs.
fn kernel<'a, T>(weight: &View<'a, T>, lines_are_outputs: bool) -> Matrix<'a, T> {
    let View { data, offset, strides, .. } = *weight;
    let (line, step) = if lines_are_outputs { (strides[0], strides[1]) } else { (strides[1], strides[0]) };
    Matrix { data, offset, line, step }
}

impl Pointwise<'_> {
    /// The number of output positions.
    fn count(&self) -> usize {
        let [n, _, h, w] = self.outputs;
        n * h * w
    }

    /// The input's positions that the stride reaches.
    fn reached<'a, T: Real + Stored>(&self, x: Source<'a, T>) -> Result<Positions<'a, T>> {
        let ([n, c, ..], [.., h, w]) = (self.inputs, self.outputs);
        match x {
            Source::Plain(view) if self.stride != [1, 1] => {
                let [down, across] = [view.strides[2] * self.stride[0], view.strides[3] * self.stride[1]];
                let (shape, strides) = ([n, c, h, w], [view.strides[0], view.strides[1], down, across]);
                let copied = positions(self.cpu, Source::Plain(View { shape: &shape, strides: &strides, ..view }))?;
                Ok(Positions::Copied(match copied {
                    Positions::Copied(block) => block,
                    Positions::Lent(elements) => {
                        let mut block = self.cpu.pool().alloc::<T>(elements.len())?;
                        block.copy_from_slice(elements);
                        block
                    }
                }))
            }
            _ => positions(self.cpu, x),
        }
    }

    /// The output, channels-last.
    pub fn forward<T: Real + Stored>(&self, x: Source<T>, weight: &View<T>, finish: Epilogue<T>) -> Result<Block<T>> {
        let (rows, depth, columns) = (self.count(), self.inputs[1], self.outputs[1]);
        let x = self.reached(x)?;
        let a = Matrix { data: x.elements(), offset: 0, line: depth, step: 1 };
        let mut out = self.cpu.pool().alloc::<T>(rows * columns)?;
        Product { rows, columns, depth, a, b: kernel(weight, true) }.run(self.cpu, &mut out, finish)?;
        Ok(out)
    }

    /// The input's gradient for the output's gradient `g`, channels-last.
    pub fn input_grad<T: Real + Stored>(&self, g: Source<T>, weight: &View<T>) -> Result<Block<T>> {
        let (rows, depth, columns) = (self.count(), self.outputs[1], self.inputs[1]);
        let g = positions(self.cpu, g)?;
        let a = Matrix { data: g.elements(), offset: 0, line: depth, step: 1 };
        let mut reached = self.cpu.pool().alloc::<T>(rows * columns)?;
        Product { rows, columns, depth, a, b: kernel(weight, false) }.run(
            self.cpu,
            &mut reached,
            Epilogue::default(),
        )?;
        if self.stride == [1, 1] {
            return Ok(reached);
        }
        let ([n, c, height, width], [.., h, w]) = (self.inputs, self.outputs);
        let mut out = self.cpu.pool().alloc::<T>(n * height * width * c)?;
        let shared = Shared::new(&mut out);
        run_tasks(self.cpu, n * height, n * height * width * c, |row| {
            let (image, y) = (row / height, row % height);
            // SAFETY: each task has its own row.
            let out = unsafe { shared.slice(row * width * c..(row + 1) * width * c) };
            out.fill(T::default());
            if y.is_multiple_of(self.stride[0]) && y / self.stride[0] < h {
                let from = &reached[(image * h + y / self.stride[0]) * w * c..][..w * c];
                let places = out.chunks_mut(c).step_by(self.stride[1]);
                places.zip(from.chunks(c)).for_each(|(place, from)| place.copy_from_slice(from));
            }
            Ok(())
        })?;
        Ok(out)
    }

    /// The gradients of weight, `[C_out, C_in]`, and bias, which is zeros unless it is needed, for the output's gradient `g`.
    pub fn weight_grad<T: Real + Stored>(
        &self,
        x: Source<T>,
        g: Source<T>,
        bias_needed: bool,
    ) -> Result<(Block<T>, Block<T>)> {
        let (rows, depth, columns) = (self.outputs[1], self.count(), self.inputs[1]);
        let (x, g) = (self.reached(x)?, positions(self.cpu, g)?);
        let a = Matrix { data: g.elements(), offset: 0, line: 1, step: rows };
        let b = Matrix { data: x.elements(), offset: 0, line: 1, step: columns };
        let mut out = self.cpu.pool().alloc::<T>(rows * columns)?;
        Product { rows, columns, depth, a, b }.run(self.cpu, &mut out, Epilogue::default())?;
        let bias = match bias_needed {
            true => column_sums(self.cpu, g.elements(), rows)?,
            false => self.cpu.pool().alloc_zeroed::<T>(rows)?,
        };
        Ok((out, bias))
    }
}
