//! Vectors of f32 as the transforms use them, for each instruction set.

/// A vector register (for the portable code an array) of `LANES` elements.
pub(super) trait Vector: Copy {
    const LANES: usize;

    /// Loads the first `count` (1 to `LANES`) elements from `from` on. The other lanes are unspecified.
    ///
    /// # Safety
    /// The machine has the instruction set, and `count` elements may be read.
    unsafe fn load(from: *const f32, count: usize) -> Self;

    /// Writes the first `count` (1 to `LANES`) elements.
    ///
    /// # Safety
    /// The machine has the instruction set, and `count` elements may be written.
    unsafe fn store(self, to: *mut f32, count: usize);

    /// `x` in each lane.
    ///
    /// # Safety
    /// The machine has the instruction set, here and below.
    unsafe fn splat(x: f32) -> Self;
    /// `self + y`.
    unsafe fn plus(self, y: Self) -> Self;
    /// `self − y`.
    unsafe fn minus(self, y: Self) -> Self;
    /// `self · x`.
    unsafe fn times(self, x: f32) -> Self;
    /// `self · x + y`, rounded once where the machine has fused multiply-add.
    unsafe fn times_plus(self, x: f32, y: Self) -> Self;
    /// The larger of `self`, which holds magnitudes, and |x|, in each lane. They are compared as integers, whose order
    /// is that of the magnitudes, with NaN above infinity.
    unsafe fn or_larger(self, x: Self) -> Self;
    /// The largest lane of `self`, which holds magnitudes, as its bits.
    unsafe fn largest(self) -> u32;
    /// In each lane the smaller of two magnitudes.
    unsafe fn or_smaller(self, y: Self) -> Self;
}

/// The portable vector, which the compiler turns into the target's instructions.
#[derive(Clone, Copy)]
pub(super) struct Plain([f32; 8]);

impl Plain {
    #[inline(always)]
    fn with(mut self, y: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        for (x, y) in self.0.iter_mut().zip(y.0) {
            *x = f(*x, y);
        }
        self
    }
}

impl Vector for Plain {
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn load(from: *const f32, count: usize) -> Self {
        let mut all = [0.0; 8];
        if count == 8 {
            // SAFETY: as the caller vouches.
            all = unsafe { from.cast::<[f32; 8]>().read_unaligned() };
        } else {
            // SAFETY: as above.
            all[..count].copy_from_slice(unsafe { std::slice::from_raw_parts(from, count) });
        }
        Self(all)
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32, count: usize) {
        if count == 8 {
            // SAFETY: as the caller vouches.
            unsafe { to.cast::<[f32; 8]>().write_unaligned(self.0) };
        } else {
            // SAFETY: as above.
            unsafe { std::slice::from_raw_parts_mut(to, count) }.copy_from_slice(&self.0[..count]);
        }
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self([x; 8])
    }

    #[inline(always)]
    unsafe fn plus(self, y: Self) -> Self {
        self.with(y, |x, y| x + y)
    }

    #[inline(always)]
    unsafe fn minus(self, y: Self) -> Self {
        self.with(y, |x, y| x - y)
    }

    #[inline(always)]
    unsafe fn times(self, x: f32) -> Self {
        self.with(self, |y, _| y * x)
    }

    #[inline(always)]
    unsafe fn times_plus(self, x: f32, y: Self) -> Self {
        self.with(y, |z, y| z * x + y)
    }

    #[inline(always)]
    unsafe fn or_larger(self, x: Self) -> Self {
        self.with(x, |most, x| f32::from_bits(most.to_bits().max(x.to_bits() & i32::MAX as u32)))
    }

    #[inline(always)]
    unsafe fn largest(self) -> u32 {
        let mut most = 0;
        for x in self.0 {
            most = most.max(x.to_bits());
        }
        most
    }

    #[inline(always)]
    unsafe fn or_smaller(self, y: Self) -> Self {
        self.with(y, |x, y| f32::from_bits(x.to_bits().min(y.to_bits())))
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Wide, Wider};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Vector;
    use core::arch::x86_64::*;

    /// AVX2 with FMA.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Wide(__m256);
    /// AVX-512.
    #[derive(Clone, Copy)]
    pub(in super::super) struct Wider(__m512);

    macro_rules! arithmetic {
        ($set1:ident, $add:ident, $sub:ident, $mul:ident, $fmadd:ident) => {
            #[inline(always)]
            unsafe fn splat(x: f32) -> Self {
                // SAFETY: the caller vouches for the instruction set, here and below.
                Self(unsafe { $set1(x) })
            }

            #[inline(always)]
            unsafe fn plus(self, y: Self) -> Self {
                // SAFETY: as above.
                Self(unsafe { $add(self.0, y.0) })
            }

            #[inline(always)]
            unsafe fn minus(self, y: Self) -> Self {
                // SAFETY: as above.
                Self(unsafe { $sub(self.0, y.0) })
            }

            #[inline(always)]
            unsafe fn times(self, x: f32) -> Self {
                // SAFETY: as above.
                Self(unsafe { $mul(self.0, $set1(x)) })
            }

            #[inline(always)]
            unsafe fn times_plus(self, x: f32, y: Self) -> Self {
                // SAFETY: as above.
                Self(unsafe { $fmadd(self.0, $set1(x), y.0) })
            }
        };
    }

    impl Vector for Wide {
        const LANES: usize = 8;

        #[inline(always)]
        unsafe fn load(from: *const f32, count: usize) -> Self {
            // SAFETY: the caller vouches for the instruction set and for `count` elements.
            unsafe {
                if count == 8 {
                    return Self(_mm256_loadu_ps(from));
                }
                let mut all = [0.0; 8];
                all[..count].copy_from_slice(std::slice::from_raw_parts(from, count));
                Self(_mm256_loadu_ps(all.as_ptr()))
            }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32, count: usize) {
            // SAFETY: as above.
            unsafe {
                if count == 8 {
                    return _mm256_storeu_ps(to, self.0);
                }
                let mut all = [0.0; 8];
                _mm256_storeu_ps(all.as_mut_ptr(), self.0);
                std::slice::from_raw_parts_mut(to, count).copy_from_slice(&all[..count]);
            }
        }

        arithmetic!(_mm256_set1_ps, _mm256_add_ps, _mm256_sub_ps, _mm256_mul_ps, _mm256_fmadd_ps);

        #[inline(always)]
        unsafe fn or_larger(self, x: Self) -> Self {
            // SAFETY: as above.
            unsafe {
                let x = _mm256_and_si256(_mm256_castps_si256(x.0), _mm256_set1_epi32(i32::MAX));
                Self(_mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(self.0), x)))
            }
        }

        #[inline(always)]
        unsafe fn largest(self) -> u32 {
            // SAFETY: as above.
            unsafe {
                let x = _mm256_castps_si256(self.0);
                let x = _mm_max_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x));
                let x = _mm_max_epi32(x, _mm_shuffle_epi32::<0b01_00_11_10>(x));
                _mm_cvtsi128_si32(_mm_max_epi32(x, _mm_shuffle_epi32::<0b10_11_00_01>(x))) as u32
            }
        }

        #[inline(always)]
        unsafe fn or_smaller(self, y: Self) -> Self {
            // SAFETY: as above.
            unsafe {
                let (x, y) = (_mm256_castps_si256(self.0), _mm256_castps_si256(y.0));
                Self(_mm256_castsi256_ps(_mm256_min_epi32(x, y)))
            }
        }
    }

    impl Vector for Wider {
        const LANES: usize = 16;

        #[inline(always)]
        unsafe fn load(from: *const f32, count: usize) -> Self {
            // SAFETY: the caller vouches for the instruction set; the mask keeps to `count` elements.
            Self(unsafe { _mm512_maskz_loadu_ps(((1u32 << count) - 1) as __mmask16, from) })
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32, count: usize) {
            // SAFETY: as above.
            unsafe { _mm512_mask_storeu_ps(to, ((1u32 << count) - 1) as __mmask16, self.0) }
        }

        arithmetic!(_mm512_set1_ps, _mm512_add_ps, _mm512_sub_ps, _mm512_mul_ps, _mm512_fmadd_ps);

        #[inline(always)]
        unsafe fn or_larger(self, x: Self) -> Self {
            // SAFETY: as above.
            unsafe {
                let x = _mm512_castps_si512(_mm512_abs_ps(x.0));
                Self(_mm512_castsi512_ps(_mm512_max_epi32(_mm512_castps_si512(self.0), x)))
            }
        }

        #[inline(always)]
        unsafe fn largest(self) -> u32 {
            // SAFETY: as above.
            unsafe { _mm512_reduce_max_epi32(_mm512_castps_si512(self.0)) as u32 }
        }

        #[inline(always)]
        unsafe fn or_smaller(self, y: Self) -> Self {
            // SAFETY: as above.
            unsafe {
                let (x, y) = (_mm512_castps_si512(self.0), _mm512_castps_si512(y.0));
                Self(_mm512_castsi512_ps(_mm512_min_epi32(x, y)))
            }
        }
    }
}
