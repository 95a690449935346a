//! Micro-kernels in plain Rust, which the compiler vectorises for the target: 4 rows × 2 vectors of 128 bits.

use super::kernel::{DOT_LINES, DOT_ROWS, DotSums, Dots, Kernel, Real, Tile, for_rows, total};

/// 4 rows × 2 vectors of 128 bits.
pub(super) const KERNEL_F32: Kernel<f32> =
    Kernel { rows: 4, lanes: 4, run: run::<f32, 4, 8>, dots: dots::<f32, 16>, transpose: None };
/// 4 rows × 2 vectors of 128 bits.
pub(super) const KERNEL_F64: Kernel<f64> =
    Kernel { rows: 4, lanes: 2, run: run::<f64, 2, 4>, dots: dots::<f64, 8>, transpose: None };

/// # Safety
/// As [`Kernel::run`]; `L` is the number of lanes and `W` twice that.
unsafe fn run<T: Real, const L: usize, const W: usize>(tile: &Tile<T>, rows: usize, vectors: usize) {
    // SAFETY: the caller vouches for the addresses.
    unsafe {
        match (vectors, rows) {
            (1, 1) => compute::<T, 1, L>(tile),
            (1, 2) => compute::<T, 2, L>(tile),
            (1, 3) => compute::<T, 3, L>(tile),
            (1, _) => compute::<T, 4, L>(tile),
            (_, 1) => compute::<T, 1, W>(tile),
            (_, 2) => compute::<T, 2, W>(tile),
            (_, 3) => compute::<T, 3, W>(tile),
            (_, _) => compute::<T, 4, W>(tile),
        }
    }
}

/// # Safety
/// The addresses of `tile` are valid for `M` rows and `W` columns.
unsafe fn compute<T: Real, const M: usize, const W: usize>(tile: &Tile<T>) {
    let mut sums = [[T::default(); W]; M];
    let mut b = tile.b;
    for &segment in tile.segments {
        for k in 0..tile.length {
            // SAFETY: row `k` of `b` holds `W` elements, and `a` has `M` rows.
            let columns: [T; W] = unsafe { *b.cast() };
            for_rows!(i < M of [0 1 2 3] => {
                // SAFETY: as above.
                let x = unsafe { *tile.a.add(segment + i * tile.a_row + k * tile.a_step) };
                for j in 0..W {
                    sums[i][j] += x * columns[j];
                }
            });
            b = b.wrapping_add(tile.b_step);
        }
    }
    // Always store whole rows, so that the compiler keeps the sums in vectors.
    let mut edge = [[T::default(); W]; M];
    let whole = tile.columns == W;
    let (to, row) = if whole { (tile.c, tile.c_row) } else { (edge.as_mut_ptr().cast(), W) };
    for_rows!(i < M of [0 1 2 3] => {
        let c = to.wrapping_add(i * row).cast::<[T; W]>();
        // SAFETY: row `i` of `c` has room for `W` elements, or it is row `i` of `edge`.
        unsafe {
            if tile.accumulate {
                let before = *c;
                for j in 0..W {
                    sums[i][j] += before[j];
                }
            }
            *c = sums[i];
        }
    });
    if !whole {
        for (i, sums) in edge.iter().enumerate() {
            for (j, &sum) in sums.iter().enumerate().take(tile.columns) {
                let c = tile.c.wrapping_add(i * tile.c_row + j);
                // SAFETY: `columns` elements are left in row `i` of `c`.
                unsafe { *c = if tile.accumulate { *c + sum } else { sum } };
            }
        }
    }
}

/// # Safety
/// As [`Kernel::dots`].
unsafe fn dots<T: Real, const L: usize>(dots: &Dots<T>, rows: usize) -> DotSums<T> {
    let mut out = [[T::default(); DOT_LINES]; DOT_ROWS];
    let whole = dots.length / L * L;
    for (out, &a) in out.iter_mut().zip(&dots.a[..rows]) {
        let mut sums = [[T::default(); L]; DOT_LINES];
        for k in (0..whole).step_by(L) {
            for (sums, &b) in sums.iter_mut().zip(&dots.b) {
                // SAFETY: `L` elements are left of each line.
                let (x, y): ([T; L], [T; L]) = unsafe { (*a.add(k).cast(), *b.add(k).cast()) };
                for l in 0..L {
                    sums[l] += x[l] * y[l];
                }
            }
        }
        for ((out, sums), &b) in out.iter_mut().zip(&mut sums).zip(&dots.b) {
            *out = total(sums);
            for k in whole..dots.length {
                // SAFETY: inside both lines.
                *out += unsafe { *a.add(k) * *b.add(k) };
            }
        }
    }
    out
}
