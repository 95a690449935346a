//! Micro-kernels for AVX-512: 14 × 2 vectors, so that 28 of the 32 registers hold sums.

use super::kernel::{DOT_LINES, DOT_ROWS, DotSums, Dots, Kernel, Tile, for_rows, total};
use core::arch::x86_64::*;

macro_rules! kernels {
    ($module:ident, $name:ident, $t:ty, $lanes:literal, $vector:ty, $mask:ty, $zero:ident, $load:ident, $set1:ident,
     $fmadd:ident, $add:ident, $store:ident, $maskz_load:ident, $mask_store:ident, $transpose:expr) => {
        /// 14 × 2 vectors.
        pub(super) const $name: Kernel<$t> =
            Kernel { rows: 14, lanes: $lanes, run: $module::run, dots: $module::dots, transpose: $transpose };

        mod $module {
            use super::*;

            /// # Safety
            /// As [`Kernel::run`].
            pub(super) unsafe fn run(tile: &Tile<$t>, rows: usize, vectors: usize) {
                macro_rules! dispatch {
                    ($v:literal) => {
                        // SAFETY: the caller vouches for the instruction set and the addresses.
                        unsafe {
                            match rows {
                                1 => compute::<1, $v>(tile),
                                2 => compute::<2, $v>(tile),
                                3 => compute::<3, $v>(tile),
                                4 => compute::<4, $v>(tile),
                                5 => compute::<5, $v>(tile),
                                6 => compute::<6, $v>(tile),
                                7 => compute::<7, $v>(tile),
                                8 => compute::<8, $v>(tile),
                                9 => compute::<9, $v>(tile),
                                10 => compute::<10, $v>(tile),
                                11 => compute::<11, $v>(tile),
                                12 => compute::<12, $v>(tile),
                                13 => compute::<13, $v>(tile),
                                _ => compute::<14, $v>(tile),
                            }
                        }
                    };
                }
                if vectors == 1 { dispatch!(1) } else { dispatch!(2) }
            }

            /// # Safety
            /// The machine has AVX-512F; the addresses of `tile` are valid for `M` rows and `V` vectors.
            #[target_feature(enable = "avx512f")]
            unsafe fn compute<const M: usize, const V: usize>(tile: &Tile<$t>) {
                let mut sums: [[$vector; V]; M] = [[$zero(); V]; M];
                let (row, step, b_step) = (tile.a_row, tile.a_step, tile.b_step);
                let (mut b, mut soon) = (tile.b, tile.soon.start);
                // Prefetch the lines of C while the sums are computed.
                for_rows!(i < M of [0 1 2 3 4 5 6 7 8 9 10 11 12 13] => {
                    for v in 0..V {
                        _mm_prefetch::<_MM_HINT_T0>(tile.c.wrapping_add(i * tile.c_row + v * $lanes).cast());
                    }
                });
                for &segment in tile.segments {
                    // Every third row has its own pointer; the two rows after it are addressed with an index register.
                    let mut a: [*const $t; 5] =
                        std::array::from_fn(|i| tile.a.wrapping_add(segment + (3 * i).min(M - 1) * row));
                    for _ in 0..tile.length {
                        // SAFETY: row `k` of `b` holds `V` whole vectors, and `a` has `M` rows.
                        unsafe {
                            let columns: [$vector; V] = std::array::from_fn(|v| $load(b.add(v * $lanes)));
                            for_rows!(i < M of [0 1 2 3 4 5 6 7 8 9 10 11 12 13] => {
                                let x = $set1(*a[i / 3].add((i % 3) * row));
                                for v in 0..V {
                                    sums[i][v] = $fmadd(x, columns[v], sums[i][v]);
                                }
                            });
                        }
                        b = b.wrapping_add(b_step);
                        // Small tiles have loads enough.
                        if M > 6 && V == 2 {
                            _mm_prefetch::<_MM_HINT_T1>(soon.cast());
                            soon = soon.wrapping_add(tile.soon.step);
                        }
                        for pointer in &mut a {
                            *pointer = pointer.wrapping_add(step);
                        }
                    }
                }
                let masks: [$mask; V] = std::array::from_fn(|v| {
                    let left = tile.columns.saturating_sub(v * $lanes);
                    if left >= $lanes { <$mask>::MAX } else { ((1u32 << left) - 1) as $mask }
                });
                for_rows!(i < M of [0 1 2 3 4 5 6 7 8 9 10 11 12 13] => {
                    for v in 0..V {
                        let c = tile.c.wrapping_add(i * tile.c_row + v * $lanes);
                        // SAFETY: the mask keeps both within the `columns` of row `i` of `c`.
                        unsafe {
                            let sum = sums[i][v];
                            if masks[v] == <$mask>::MAX {
                                $store(c, if tile.accumulate { $add($load(c), sum) } else { sum });
                            } else {
                                let sum = if tile.accumulate { $add($maskz_load(masks[v], c), sum) } else { sum };
                                $mask_store(c, masks[v], sum);
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
                        3 | 4 => some::<4, 4>(dots, 0, &mut out),
                        _ => {
                            some::<8, 2>(dots, 0, &mut out);
                            some::<8, 2>(dots, 2, &mut out);
                        }
                    }
                }
                out
            }

            /// The dot products of `M` rows with `R` lines from `first` on.
            ///
            /// # Safety
            /// The machine has AVX-512F; every line of `dots` has `dots.length` elements.
            #[target_feature(enable = "avx512f")]
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
                if whole < dots.length {
                    let mask: $mask = (1 << (dots.length - whole)) - 1;
                    // SAFETY: the mask keeps to the rest of each line.
                    unsafe {
                        let lines: [$vector; R] =
                            std::array::from_fn(|j| $maskz_load(mask, dots.b[first + j].add(whole)));
                        for_rows!(i < M of [0 1 2 3 4 5 6 7] => {
                            let x = $maskz_load(mask, dots.a[i].add(whole));
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
                        out[i][first + j] = total(&mut values);
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
    16,
    __m512,
    __mmask16,
    _mm512_setzero_ps,
    _mm512_loadu_ps,
    _mm512_set1_ps,
    _mm512_fmadd_ps,
    _mm512_add_ps,
    _mm512_storeu_ps,
    _mm512_maskz_loadu_ps,
    _mm512_mask_storeu_ps,
    Some(super::transpose::avx512)
);
kernels!(
    f64_tile,
    KERNEL_F64,
    f64,
    8,
    __m512d,
    __mmask8,
    _mm512_setzero_pd,
    _mm512_loadu_pd,
    _mm512_set1_pd,
    _mm512_fmadd_pd,
    _mm512_add_pd,
    _mm512_storeu_pd,
    _mm512_maskz_loadu_pd,
    _mm512_mask_storeu_pd,
    None
);
