//! Instruction sets: the vector instructions that kernels use, detected at run time.

use crate::options::named;
use std::{fmt, str::FromStr};
use taper_backend::{Error, Result};

/// A vector instruction set. Results may differ between instruction sets in rounding, but not between thread counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Isa {
    /// The baseline of the target, which every processor has: SSE2 on x86-64, NEON on 64-bit ARM.
    Portable,
    /// x86-64 with AVX2 and FMA: vectors of 256 bits.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL: vectors of 512 bits.
    Avx512,
}

impl Isa {
    /// All instruction sets, the widest first.
    pub const ALL: [Self; 3] = [Self::Avx512, Self::Avx2, Self::Portable];

    /// The widest instruction set that this machine has.
    pub fn detect() -> Self {
        Self::ALL.into_iter().find(|isa| isa.is_available()).unwrap_or(Self::Portable)
    }

    /// All instruction sets that this machine has, the widest first.
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().rev().filter(|isa| isa.is_available()).collect()
    }

    /// The name, `avx512`, `avx2` or `portable`, which [`FromStr`] reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
        }
    }

    /// Whether this machine has the instruction set.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Isa {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        named(name, Self::ALL, Self::name, "instruction set")
    }
}

/// Compiles one plain loop for each [`Isa`] and chooses between them by its first argument, `isa`.
///
/// The body is inlined into functions that enable the instructions, so that the compiler vectorises the same source for
/// each. It must not call anything large that is not itself `#[inline(always)]`: closures cannot be, so loops are
/// `for`, not `for_each`. For a first type parameter of eight bytes (f64, i64) only the portable version is compiled:
/// f64 serves gradient checks, and two more copies of every loop would add noticeably to this crate's compile time.
macro_rules! multiversion {
    ($(#[$meta:meta])* $vis:vis fn $name:ident <$t0:ident : $bound0:path $(, $g:ident : $bound:path)*>
        ($($arg:ident : $t:ty),* $(,)?) $(-> $r:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name<$t0: $bound0 $(, $g: $bound)*>(isa: $crate::Isa, $($arg: $t),*) $(-> $r)? {
            #[inline(always)]
            fn body<$t0: $bound0 $(, $g: $bound)*>($($arg: $t),*) $(-> $r)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
            fn avx512<$t0: $bound0 $(, $g: $bound)*>($($arg: $t),*) $(-> $r)? {
                body::<$t0 $(, $g)*>($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2<$t0: $bound0 $(, $g: $bound)*>($($arg: $t),*) $(-> $r)? {
                body::<$t0 $(, $g)*>($($arg),*)
            }
            #[cfg(target_arch = "x86_64")]
            if const { size_of::<$t0>() < 8 } {
                match isa {
                    // SAFETY: a backend is only made with an `Isa` that the machine has (`CpuBackend::with_options`).
                    $crate::Isa::Avx512 => return unsafe { avx512::<$t0 $(, $g)*>($($arg),*) },
                    // SAFETY: as above.
                    $crate::Isa::Avx2 => return unsafe { avx2::<$t0 $(, $g)*>($($arg),*) },
                    $crate::Isa::Portable => {}
                }
            }
            let _ = isa;
            body::<$t0 $(, $g)*>($($arg),*)
        }
    };
}
pub(crate) use multiversion;
