//! Micro-kernels for AVX2 with FMA: 6 × 2 vectors, so that 12 of the 16 registers hold sums.

use super::kernel::{DOT_LINES, DOT_ROWS, DotSums, Dots, Kernel, Tile, for_rows, total};
use core::arch::x86_64::*;

macro_rules! kernels {
    ($module:ident, $name:ident, $t:ty, $lanes:literal, $vector:ty, $zero:ident, $load:ident, $store:ident, $set1:ident,
     $fmadd:ident, $add:ident) => {
        /// 6 × 2 vectors.
        pub(super) const $name: Kernel<$t> = Kernel { rows: 6, lanes: $lanes, run: $module::run, dots: $module::dots, transpose: None };

        mod $module {
            use super::*;

            /// # Safety
            /// As [`Kernel::run`].
            pub(super) unsafe fn run(tile: &Tile<$t>, rows: usize, vectors: usize) {
                // SAFETY: the caller vouches for the instruction set and the addresses.
                unsafe {
                    match (vectors, rows) {
                        (1, 1) => compute::<1, 1>(tile),
                        (1, 2) => compute::<2, 1>(tile),
                        (1, 3) => compute::<3, 1>(tile),
                        (1, 4) => compute::<4, 1>(tile),
                        (1, 5) => compute::<5, 1>(tile),
                        (1, _) => compute::<6, 1>(tile),
                        (_, 1) => compute::<1, 2>(tile),
                        (_, 2) => compute::<2, 2>(tile),
                        (_, 3) => compute::<3, 2>(tile),
                        (_, 4) => compute::<4, 2>(tile),
                        (_, 5) => compute::<5, 2>(tile),
                        (_, _) => compute::<6, 2>(tile),
                    }
                }
            }

            /// # Safety
            /// The machine has AVX2 and FMA; the addresses of `tile` are valid for `M` rows and `V` vectors.
            #[target_feature(enable = "avx2,fma")]
            unsafe fn compute<const M: usize, const V: usize>(tile: &Tile<$t>) {
                let mut sums: [[$vector; V]; M] = [[$zero(); V]; M];
                let (row, step, b_step) = (tile.a_row, tile.a_step, tile.b_step);
                let mut b = tile.b;
                // Prefetch the lines of C while the sums are computed.
                for_rows!(i < M of [0 1 2 3 4 5] => {
                    _mm_prefetch::<_MM_HINT_T0>(tile.c.wrapping_add(i * tile.c_row).cast());
                });
                for &segment in tile.segments {
                    let mut a: [*const $t; 2] =
                        std::array::from_fn(|i| tile.a.wrapping_add(segment + (3 * i).min(M - 1) * row));
                    for _ in 0..tile.length {
                        // SAFETY: row `k` of `b` holds `V` whole vectors, and `a` has `M` rows.
                        unsafe {
                            let columns: [$vector; V] = std::array::from_fn(|v| $load(b.add(v * $lanes)));
                            for_rows!(i < M of [0 1 2 3 4 5] => {
                                let x = $set1(*a[i / 3].add((i % 3) * row));
                                for v in 0..V {
                                    sums[i][v] = $fmadd(x, columns[v], sums[i][v]);
                                }
                            });
                        }
                        b = b.wrapping_add(b_step);
                        for pointer in &mut a {
                            *pointer = pointer.wrapping_add(step);
                        }
                    }
                }
                for_rows!(i < M of [0 1 2 3 4 5] => {
                    for v in 0..V {
                        let c = tile.c.wrapping_add(i * tile.c_row + v * $lanes);
                        let left = tile.columns.saturating_sub(v * $lanes);
                        if left >= $lanes {
                            // SAFETY: a whole vector is left in row `i` of `c`.
                            unsafe { $store(c, if tile.accumulate { $add($load(c), sums[i][v]) } else { sums[i][v] }) };
                        } else {
                            let mut values: [$t; $lanes] = [0.0; $lanes];
                            // SAFETY: `values` is one vector.
                            unsafe { $store(values.as_mut_ptr(), sums[i][v]) };
                            for (j, &value) in values.iter().enumerate().take(left) {
                                // SAFETY: `left` elements are left in row `i` of `c`.
                                unsafe { *c.add(j) = if tile.accumulate { *c.add(j) + value } else { value } };
                            }
                        }
                    }
                });
            }

            /// # Safety
            /// As [`Kernel::dots`].
            pub(super) unsafe fn dots(dots: &Dots<$t>, rows: usize) -> DotSums<$t> {
                let mut out = [[0.0; DOT_LINES]; DOT_ROWS];
                // SAFETY: the caller vouches for the instruction set and the lines.
                unsafe {
                    match rows {
                        1 => some::<1, 4>(dots, 0, &mut out),
                        2 => some::<2, 4>(dots, 0, &mut out),
                        3 | 4 => [0, 2].iter().for_each(|&j| some::<4, 2>(dots, j, &mut out)),
                        _ => (0..4).for_each(|j| some::<8, 1>(dots, j, &mut out)),
                    }
                }
                out
            }

            /// The dot products of `M` rows with `R` lines from `first` on.
            ///
            /// # Safety
            /// The machine has AVX2 and FMA; every line of `dots` has `dots.length` elements.
            #[target_feature(enable = "avx2,fma")]
            unsafe fn some<const M: usize, const R: usize>(dots: &Dots<$t>, first: usize, out: &mut DotSums<$t>) {
                let mut sums: [[$vector; R]; M] = [[$zero(); R]; M];
                let whole = dots.length / $lanes * $lanes;
                for k in (0..whole).step_by($lanes) {
                    // SAFETY: a whole vector is left of each line.
                    unsafe {
                        let lines: [$vector; R] = std::array::from_fn(|j| $load(dots.b[first + j].add(k)));
                        for_rows!(i < M of [0 1 2 3 4 5 6 7] => {
                            let x = $load(dots.a[i].add(k));
                            for j in 0..R {
                                sums[i][j] = $fmadd(x, lines[j], sums[i][j]);
                            }
                        });
                    }
                }
                for i in 0..M {
                    for j in 0..R {
                        let mut values: [$t; $lanes] = [0.0; $lanes];
                        // SAFETY: `values` is one vector.
                        unsafe { $store(values.as_mut_ptr(), sums[i][j]) };
                        let mut sum = total(&mut values);
                        for k in whole..dots.length {
                            // SAFETY: inside both lines.
                            sum += unsafe { *dots.a[i].add(k) * *dots.b[first + j].add(k) };
                        }
                        out[i][first + j] = sum;
                    }
                }
            }
        }
    };
}

kernels!(
    f32_tile,
    KERNEL_F32,
    f32,
    8,
    __m256,
    _mm256_setzero_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_set1_ps,
    _mm256_fmadd_ps,
    _mm256_add_ps
);
kernels!(
    f64_tile,
    KERNEL_F64,
    f64,
    4,
    __m256d,
    _mm256_setzero_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    _mm256_set1_pd,
    _mm256_fmadd_pd,
    _mm256_add_pd
);
