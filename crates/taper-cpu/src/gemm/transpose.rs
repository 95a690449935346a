//! The transposition of a block of 16 × 16 elements with AVX-512.

use core::arch::x86_64::*;

/// See [`Transpose`](super::kernel::Transpose).
///
/// # Safety
/// The machine has AVX-512F; `from` has 16 lines of 16 elements, `to` 16 of which each begins `width` after the last.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn avx512(from: *const f32, line: usize, to: *mut f32, width: usize) {
    // SAFETY: whole lines are read.
    let rows: [__m512; 16] = std::array::from_fn(|i| unsafe { _mm512_loadu_ps(from.add(i * line)) });
    // Of lines 4i to 4i + 3, the columns k, 4 + k, 8 + k and 12 + k: one in each quarter of `fours[4i + k]`.
    let mut fours = rows;
    for i in (0..16).step_by(4) {
        let [a, b, c, d] = [rows[i], rows[i + 1], rows[i + 2], rows[i + 3]];
        let pair = |x, y| [_mm512_unpacklo_ps(x, y), _mm512_unpackhi_ps(x, y)].map(|x| _mm512_castps_pd(x));
        for (half, (ab, cd)) in pair(a, b).into_iter().zip(pair(c, d)).enumerate() {
            fours[i + 2 * half] = _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd));
            fours[i + 2 * half + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd));
        }
    }
    for k in 0..4 {
        let [a, b, c, d] = [fours[k], fours[4 + k], fours[8 + k], fours[12 + k]];
        // Quarters 0 and 2 of two vectors, and quarters 1 and 3.
        let even = |x, y| _mm512_shuffle_f32x4::<0b10_00_10_00>(x, y);
        let odd = |x, y| _mm512_shuffle_f32x4::<0b11_01_11_01>(x, y);
        let ([ab, cd], [ab_odd, cd_odd]) = ([even(a, b), even(c, d)], [odd(a, b), odd(c, d)]);
        let columns = [even(ab, cd), even(ab_odd, cd_odd), odd(ab, cd), odd(ab_odd, cd_odd)];
        for (quarter, column) in columns.into_iter().enumerate() {
            // SAFETY: a whole line is written.
            unsafe { _mm512_storeu_ps(to.add((4 * quarter + k) * width), column) };
        }
    }
}
