//! Products of blocks in the cache, by the micro-kernels of the matrix product.

use crate::gemm::{Kernel, Real, Soon, Tile};

/// A left operand: element (row, k) at `row · self.row + k · self.step`.
#[derive(Clone, Copy)]
pub(super) struct Left<'a, T> {
    pub data: &'a [T],
    pub row: usize,
    pub step: usize,
}

/// A right operand: the columns in panels of two vectors, element (k, column) of one at `k · self.step + column`. Whole
/// vectors are read.
#[derive(Clone, Copy)]
pub(super) struct Right<'a, T> {
    pub data: &'a [T],
    /// The elements from one panel to the next.
    pub panel: usize,
    pub step: usize,
}

/// `c[i · pitch + j] = Σ left(i, k) · right(k, j)`, or `+=`, for `[rows, depth, columns]`.
pub(super) fn multiply<T: Real>(
    kernel: &Kernel<T>,
    [rows, depth, columns]: [usize; 3],
    left: Left<T>,
    right: Right<T>,
    (c, pitch): (&mut [T], usize),
    accumulate: bool,
) {
    if rows == 0 || columns == 0 || depth == 0 {
        return;
    }
    let wide = 2 * kernel.lanes;
    // Panels of rows of nearly equal height.
    let height = rows.div_ceil(rows.div_ceil(kernel.rows));
    for (panel, column) in (0..columns).step_by(wide).enumerate() {
        let stored = (columns - column).min(wide);
        let vectors = stored.div_ceil(kernel.lanes);
        let b = &right.data[panel * right.panel..][..(depth - 1) * right.step + vectors * kernel.lanes];
        for row in (0..rows).step_by(height) {
            let high = height.min(rows - row);
            let a = &left.data[row * left.row..][..=(high - 1) * left.row + (depth - 1) * left.step];
            let c = &mut c[row * pitch + column..][..(high - 1) * pitch + stored];
            let tile = Tile {
                a: a.as_ptr(),
                a_row: left.row,
                a_step: left.step,
                segments: &[0],
                length: depth,
                b: b.as_ptr(),
                b_step: right.step,
                c: c.as_mut_ptr(),
                c_row: pitch,
                columns: stored,
                accumulate,
                soon: Soon::nothing(a.as_ptr()),
            };
            // SAFETY: the backend has the instruction set; `a`, `b` and `c` hold all that the tile's rows, k and vectors
            // reach.
            unsafe { (kernel.run)(&tile, high, vectors) };
        }
    }
}
