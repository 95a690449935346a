//! The five transforms of F(4×4, 3×3) and of F(3×3, 4×4), which use the same points.
//!
//! With the points 0, ±a, ±b, ∞ (a = 2/3, b = 3/2, so that a²·b² = 1) the rows of Aᵀ and Gᵀ are the powers of the
//! points, G's divided by N'(p) for N(x) = x·(x² − a²)·(x² − b²), and row p of Bᵀ holds the coefficients of N(x) / (x −
//! p). These points are near 1 and near each other's inverse: of the sets tried they have the smallest rounding error
//! (see Barabasz et al., "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks",
//! 2020).
//!
//! Each is a linear map of lines; a tile is mapped along its rows and then along its columns.

use super::SIDE;
use super::vector::{Plain, Vector};
#[cfg(target_arch = "x86_64")]
use super::vector::{Wide, Wider};
use crate::Isa;

const A: f32 = 2.0 / 3.0;
const B: f32 = 3.0 / 2.0;
const A2: f32 = 4.0 / 9.0;
const B2: f32 = 9.0 / 4.0;
const A3: f32 = 8.0 / 27.0;
const B3: f32 = 27.0 / 8.0;
/// 1 / N'(±a) = 1 / (2a²·(a² − b²)).
const NA: f32 = (1.0 / (2.0 * (4.0 / 9.0) * (4.0 / 9.0 - 9.0 / 4.0))) as f32;
/// 1 / N'(±b).
const NB: f32 = (1.0 / (2.0 * (9.0 / 4.0) * (9.0 / 4.0 - 4.0 / 9.0))) as f32;

/// A linear map of `I` values to `O` values.
trait LinearMap<const I: usize, const O: usize> {
    /// # Safety
    /// The machine has the instruction set of `V`.
    unsafe fn line<V: Vector>(x: [V; I]) -> [V; O];
}

/// Bᵀ: maps a piece of an image to its values at the points.
struct Input;
/// A: maps a piece of an output's gradient to its values at the points.
struct Gradient;
/// G: maps a kernel to its values at the points.
struct Weight;
/// Aᵀ: maps products at the points to outputs.
struct Output;
/// Gᵀ: maps products at the points to a kernel's gradient.
struct WeightGradient;

impl LinearMap<6, 6> for Input {
    #[inline(always)]
    unsafe fn line<V: Vector>(d: [V; 6]) -> [V; 6] {
        // SAFETY: the caller vouches for the instruction set; so below.
        unsafe {
            let (even, odd) = (d[2].times_plus(-B2, d[4]), d[1].times_plus(-B2, d[3]));
            let (even2, odd2) = (d[2].times_plus(-A2, d[4]), d[1].times_plus(-A2, d[3]));
            [
                d[2].times_plus(-(A2 + B2), d[0].plus(d[4])),
                odd.times_plus(A, even),
                odd.times_plus(-A, even),
                odd2.times_plus(B, even2),
                odd2.times_plus(-B, even2),
                d[3].times_plus(-(A2 + B2), d[1].plus(d[5])),
            ]
        }
    }
}

impl LinearMap<4, 6> for Gradient {
    #[inline(always)]
    unsafe fn line<V: Vector>(y: [V; 4]) -> [V; 6] {
        // SAFETY: as above.
        unsafe {
            let (even, odd) = (y[2].times_plus(A2, y[0]), y[3].times_plus(A2, y[1]));
            let (even2, odd2) = (y[2].times_plus(B2, y[0]), y[3].times_plus(B2, y[1]));
            [
                y[0],
                odd.times_plus(A, even),
                odd.times_plus(-A, even),
                odd2.times_plus(B, even2),
                odd2.times_plus(-B, even2),
                y[3],
            ]
        }
    }
}

impl LinearMap<3, 6> for Weight {
    #[inline(always)]
    unsafe fn line<V: Vector>(w: [V; 3]) -> [V; 6] {
        // SAFETY: as above.
        unsafe {
            let (even, even2) = (w[2].times_plus(A2, w[0]).times(NA), w[2].times_plus(B2, w[0]).times(NB));
            [
                w[0],
                w[1].times_plus(A * NA, even),
                w[1].times_plus(-A * NA, even),
                w[1].times_plus(B * NB, even2),
                w[1].times_plus(-B * NB, even2),
                w[2],
            ]
        }
    }
}

impl LinearMap<6, 4> for Output {
    #[inline(always)]
    unsafe fn line<V: Vector>(m: [V; 6]) -> [V; 4] {
        // SAFETY: as above.
        unsafe {
            let (sum, difference) = (m[1].plus(m[2]), m[1].minus(m[2]));
            let (sum2, difference2) = (m[3].plus(m[4]), m[3].minus(m[4]));
            [
                m[0].plus(sum).plus(sum2),
                difference.times_plus(A, difference2.times(B)),
                sum.times_plus(A2, sum2.times(B2)),
                difference.times_plus(A3, difference2.times_plus(B3, m[5])),
            ]
        }
    }
}

impl LinearMap<6, 3> for WeightGradient {
    #[inline(always)]
    unsafe fn line<V: Vector>(m: [V; 6]) -> [V; 3] {
        // SAFETY: as above.
        unsafe {
            let (sum, difference) = (m[1].plus(m[2]).times(NA), m[1].minus(m[2]).times(NA));
            let (sum2, difference2) = (m[3].plus(m[4]).times(NB), m[3].minus(m[4]).times(NB));
            [
                m[0].plus(sum).plus(sum2),
                difference.times_plus(A, difference2.times(B)),
                sum.times_plus(A2, sum2.times_plus(B2, m[5])),
            ]
        }
    }
}

/// Maps `from[i · from_step[0] + j · from_step[1] + c]` along `j` and `i` to `to[i · to_step[0] + j · to_step[1] + c]`,
/// for `c` in `0..channels`. Only the first `size` rows and columns of the result are stored.
///
/// # Safety
/// The machine has the instruction set, and every element so described may be read or written.
type Transform<T> = unsafe fn(
    from: *const T,
    from_step: [usize; 2],
    to: *mut T,
    to_step: [usize; 2],
    size: [usize; 2],
    channels: usize,
);

/// As [`Transform`], but stores the whole result, and returns the magnitudes of the elements that it reads. `keys` are
/// four places, as offsets from `from`.
///
/// # Safety
/// As for [`Transform`]; the key places may be read.
type MeasuredTransform<T> = unsafe fn(
    from: *const T,
    from_step: [usize; 2],
    to: *mut T,
    to_step: [usize; 2],
    keys: [usize; 4],
    channels: usize,
) -> Magnitudes;

/// Measured magnitudes, as the bits of |x|, whose order is that of the numbers, with NaN above infinity.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Magnitudes {
    /// The largest of the first 4 × 4 places.
    pub largest: u32,
    /// A magnitude that every key place reaches in some channel; near the largest such magnitude.
    pub common: u32,
}

/// The five transforms for one instruction set.
#[derive(Clone, Copy)]
pub(crate) struct Transforms<T> {
    /// Bᵀ·d·B: 6 × 6 places of an image to 6 × 6 values.
    pub input: MeasuredTransform<T>,
    /// A·g·Aᵀ: 4 × 4 places of an output's gradient to 6 × 6 values.
    pub gradient: MeasuredTransform<T>,
    /// G·w·Gᵀ: a kernel of 3 × 3 to 6 × 6 values.
    pub weight: Transform<T>,
    /// Aᵀ·m·A: 6 × 6 products to 4 × 4 outputs.
    pub output: Transform<T>,
    /// Gᵀ·m·G: 6 × 6 products to a kernel's gradient of 3 × 3.
    pub weight_gradient: Transform<T>,
    /// The largest magnitude, as bits, of `rows` rows of `count` elements, `step` apart.
    pub largest: unsafe fn(from: *const T, step: usize, rows: usize, count: usize) -> u32,
}

impl Transforms<f32> {
    pub fn new(isa: Isa) -> Self {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => avx512::TRANSFORMS,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2::TRANSFORMS,
            _ => portable::TRANSFORMS,
        }
    }
}

/// See [`Transform`].
#[inline(always)]
unsafe fn map<V: Vector, L: LinearMap<I, O>, const I: usize, const O: usize>(
    from: *const f32,
    from_step: [usize; 2],
    to: *mut f32,
    to_step: [usize; 2],
    size: [usize; 2],
    channels: usize,
) {
    let whole = channels / V::LANES * V::LANES;
    // SAFETY: the caller vouches for the instruction set and the elements.
    unsafe {
        for start in (0..whole).step_by(V::LANES) {
            let (from, to) = (from.wrapping_add(start), to.wrapping_add(start));
            // The count is a constant here, so that whole vectors need no masks.
            let lines = map_rows::<V, L, I, O>(from, from_step, V::LANES, None);
            map_columns::<V, L, I, O>(&lines, to, to_step, size, V::LANES);
        }
        if whole < channels {
            let (from, to, count) = (from.wrapping_add(whole), to.wrapping_add(whole), channels - whole);
            let lines = map_rows::<V, L, I, O>(from, from_step, count, None);
            map_columns::<V, L, I, O>(&lines, to, to_step, size, count);
        }
    }
}

/// See [`MeasuredTransform`].
#[inline(always)]
unsafe fn map_measured<V: Vector, L: LinearMap<I, O>, const I: usize, const O: usize>(
    from: *const f32,
    from_step: [usize; 2],
    to: *mut f32,
    to_step: [usize; 2],
    keys: [usize; 4],
    channels: usize,
) -> Magnitudes {
    let whole = channels / V::LANES * V::LANES;
    // SAFETY: as above.
    unsafe {
        let mut most = V::splat(0.0);
        let mut places = [V::splat(0.0); 4];
        for start in (0..whole).step_by(V::LANES) {
            let (from, to) = (from.wrapping_add(start), to.wrapping_add(start));
            let lines = map_rows::<V, L, I, O>(from, from_step, V::LANES, Some(&mut most));
            for (place, key) in places.iter_mut().zip(keys) {
                *place = place.or_larger(V::load(from.wrapping_add(key), V::LANES));
            }
            map_columns::<V, L, I, O>(&lines, to, to_step, [O; 2], V::LANES);
        }
        if whole < channels {
            let (from, to, count) = (from.wrapping_add(whole), to.wrapping_add(whole), channels - whole);
            let lines = map_rows::<V, L, I, O>(from, from_step, count, Some(&mut most));
            for (place, key) in places.iter_mut().zip(keys) {
                *place = place.or_larger(V::load(from.wrapping_add(key), count));
            }
            map_columns::<V, L, I, O>(&lines, to, to_step, [O; 2], count);
        }
        // In each lane the smallest of the key places' largest magnitudes.
        let [p, q, r, s] = places;
        let common = p.or_smaller(q).or_smaller(r.or_smaller(s));
        Magnitudes { largest: most.largest(), common: common.largest() }
    }
}

/// Maps `I` rows of `I` places of `count` channels, at most a vector, along the rows. `most` is raised to the largest
/// magnitude, in each lane, of the first 4 × 4 places.
#[inline(always)]
unsafe fn map_rows<V: Vector, L: LinearMap<I, O>, const I: usize, const O: usize>(
    from: *const f32,
    from_step: [usize; 2],
    count: usize,
    mut most: Option<&mut V>,
) -> [[V; O]; I] {
    // SAFETY: as the caller vouches.
    unsafe {
        let mut lines = [[V::splat(0.0); O]; I];
        let (first, others) = lines.split_at_mut(SIDE.min(I));
        for (i, line) in first.iter_mut().enumerate() {
            let mut row = [V::splat(0.0); I];
            for (j, x) in row.iter_mut().enumerate() {
                *x = V::load(from.wrapping_add(i * from_step[0] + j * from_step[1]), count);
            }
            if let Some(most) = &mut most {
                for x in &row[..SIDE.min(I)] {
                    **most = most.or_larger(*x);
                }
            }
            *line = L::line(row);
        }
        for (i, line) in (SIDE..).zip(others) {
            let mut row = [V::splat(0.0); I];
            for (j, x) in row.iter_mut().enumerate() {
                *x = V::load(from.wrapping_add(i * from_step[0] + j * from_step[1]), count);
            }
            *line = L::line(row);
        }
        lines
    }
}

/// Maps `lines` along the columns, and stores the first `size` rows and columns of the result.
#[inline(always)]
unsafe fn map_columns<V: Vector, L: LinearMap<I, O>, const I: usize, const O: usize>(
    lines: &[[V; O]; I],
    to: *mut f32,
    to_step: [usize; 2],
    size: [usize; 2],
    count: usize,
) {
    // SAFETY: as the caller vouches.
    unsafe {
        for j in 0..O {
            let mut column = [V::splat(0.0); I];
            for (x, line) in column.iter_mut().zip(lines) {
                *x = line[j];
            }
            for (i, x) in L::line(column).into_iter().enumerate() {
                if i < size[0] && j < size[1] {
                    x.store(to.wrapping_add(i * to_step[0] + j * to_step[1]), count);
                }
            }
        }
    }
}

/// See [`Transforms::largest`].
#[inline(always)]
unsafe fn largest_of<V: Vector>(from: *const f32, step: usize, rows: usize, count: usize) -> u32 {
    let whole = count / V::LANES * V::LANES;
    // SAFETY: the caller vouches for the instruction set and the elements.
    unsafe {
        let mut most = V::splat(0.0);
        for row in 0..rows {
            let from = from.wrapping_add(row * step);
            for start in (0..whole).step_by(V::LANES) {
                most = most.or_larger(V::load(from.wrapping_add(start), V::LANES));
            }
            if whole < count {
                most = most.or_larger(V::load(from.wrapping_add(whole), count - whole));
            }
        }
        most.largest()
    }
}

macro_rules! transforms {
    ($module:ident, $vector:ty $(, $features:literal)?) => {
        mod $module {
            use super::*;

            pub(super) const TRANSFORMS: Transforms<f32> =
                Transforms { input, gradient, weight, output, weight_gradient, largest };

            transforms!(@ measured input, Input, $vector $(, $features)?);
            transforms!(@ measured gradient, Gradient, $vector $(, $features)?);
            transforms!(@ plain weight, Weight, $vector $(, $features)?);
            transforms!(@ plain output, Output, $vector $(, $features)?);
            transforms!(@ plain weight_gradient, WeightGradient, $vector $(, $features)?);

            $(#[target_feature(enable = $features)])?
            unsafe fn largest(from: *const f32, step: usize, rows: usize, count: usize) -> u32 {
                // SAFETY: the caller vouches for the instruction set and the elements.
                unsafe { largest_of::<$vector>(from, step, rows, count) }
            }
        }
    };
    (@ plain $name:ident, $lines:ty, $vector:ty $(, $features:literal)?) => {
        $(#[target_feature(enable = $features)])?
        unsafe fn $name(
            from: *const f32,
            from_step: [usize; 2],
            to: *mut f32,
            to_step: [usize; 2],
            size: [usize; 2],
            channels: usize,
        ) {
            // SAFETY: the caller vouches for the instruction set and the elements.
            unsafe { map::<$vector, $lines, _, _>(from, from_step, to, to_step, size, channels) }
        }
    };
    (@ measured $name:ident, $lines:ty, $vector:ty $(, $features:literal)?) => {
        $(#[target_feature(enable = $features)])?
        unsafe fn $name(
            from: *const f32,
            from_step: [usize; 2],
            to: *mut f32,
            to_step: [usize; 2],
            keys: [usize; 4],
            channels: usize,
        ) -> Magnitudes {
            // SAFETY: the caller vouches for the instruction set and the elements.
            unsafe { map_measured::<$vector, $lines, _, _>(from, from_step, to, to_step, keys, channels) }
        }
    };
}

#[cfg(target_arch = "x86_64")]
transforms!(avx512, Wider, "avx512f");
#[cfg(target_arch = "x86_64")]
transforms!(avx2, Wide, "avx2,fma");
transforms!(portable, Plain);
