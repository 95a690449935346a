//! Options of the CPU backend.

use crate::Isa;
use std::{fmt, str::FromStr};
use taper_backend::{Error, Result};

/// Options of a [`CpuBackend`](crate::CpuBackend). The default: one thread per core, the widest instruction set that
/// this machine has, and [`Convolution::Auto`].
///
/// ```
/// use taper_cpu::{Convolution, CpuBackend, CpuOptions};
///
/// let options = CpuOptions { threads: 2, convolution: Convolution::Direct, ..CpuOptions::default() };
/// assert_eq!(CpuBackend::with_options(options)?.threads(), 2);
/// # Ok::<(), taper_backend::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CpuOptions {
    /// The number of threads, up to 1024; 0 stands for one per core. Results do not depend on it.
    pub threads: usize,
    /// The instruction set, which this machine must have; `None` stands for the widest that it has.
    pub isa: Option<Isa>,
    /// The choice of convolution algorithm.
    pub convolution: Convolution,
}

/// The most threads a backend may be given.
const MAX_THREADS: usize = 1024;

impl CpuOptions {
    /// These options with the defaults filled in: 0 threads becomes the number of cores, at most 1024, and `isa: None`
    /// the widest instruction set. Options that make equal backends resolve to equal values.
    ///
    /// # Errors
    /// More than 1024 threads, or an instruction set that this machine lacks.
    pub fn resolved(self) -> Result<Self> {
        let Self { threads, isa, convolution } = self;
        if threads > MAX_THREADS {
            let detail = format!("{threads} threads; give a number from 1 to {MAX_THREADS}, or 0 for one a core");
            return Err(Error::argument("cpu", detail));
        }
        let threads = match threads {
            // One thread if the system does not tell the number of cores.
            0 => std::thread::available_parallelism().map_or(1, |n| n.get()).min(MAX_THREADS),
            threads => threads,
        };
        let isa = isa.unwrap_or_else(Isa::detect);
        if !isa.is_available() {
            let known = Isa::available().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(Error::Device(format!("cpu: this machine has no {isa}; it has {known}")));
        }
        Ok(Self { threads, isa: Some(isa), convolution })
    }
}

/// The choice of convolution algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Convolution {
    /// Winograd's algorithm for f32 convolutions with 3 × 3 kernels of stride 1, where it takes fewer operations;
    /// direct evaluation otherwise.
    #[default]
    Auto,
    /// Direct evaluation of the definition, as matrix products over image patches.
    Direct,
}

impl Convolution {
    /// All choices.
    pub const ALL: [Self; 2] = [Self::Auto, Self::Direct];

    /// The name, `auto` or `direct`, which [`FromStr`] reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Direct => "direct",
        }
    }
}

impl fmt::Display for Convolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Convolution {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        named(name, Self::ALL, Self::name, "way to compute convolutions")
    }
}

/// The one of `all` whose name, as `called` gives it, is `name`; otherwise an error that lists the known names.
pub(crate) fn named<T: Copy, const N: usize>(
    name: &str,
    all: [T; N],
    called: impl Fn(T) -> &'static str,
    what: &str,
) -> Result<T> {
    all.into_iter().find(|&one| called(one) == name).ok_or_else(|| {
        let known = all.map(called).join(", ");
        Error::argument("cpu", format!("unknown {what} `{name}`; known: {known}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CpuBackend;

    /// The backend uses each option that is set, and the defaults otherwise.
    #[test]
    fn options_are_followed() {
        let plain = CpuBackend::new().unwrap();
        let cores = std::thread::available_parallelism().unwrap().get();
        assert_eq!((plain.threads(), plain.isa(), plain.convolution()), (cores, Isa::detect(), Convolution::Auto));
        assert_eq!(CpuBackend::with_threads(0).unwrap().threads(), cores);
        let options = CpuOptions { threads: 3, isa: Some(Isa::Portable), convolution: Convolution::Direct };
        let cpu = CpuBackend::with_options(options).unwrap();
        assert_eq!(format!("{cpu:?}"), "CpuBackend(3 threads, portable, direct convolution)");
        assert_eq!((cpu.threads(), cpu.isa(), cpu.convolution()), (3, Isa::Portable, Convolution::Direct));
    }

    #[test]
    fn what_this_machine_lacks_is_told_with_what_it_has() {
        for isa in Isa::ALL {
            let error = CpuBackend::with_isa(1, isa).err().map(|error| error.to_string());
            let due = format!("cpu: this machine has no {isa}; it has portable");
            assert!(error.map_or(isa.is_available(), |text| text.starts_with(&due)), "{isa}");
        }
    }

    #[test]
    fn names_are_read_back() {
        for one in Convolution::ALL {
            assert_eq!(one.to_string().parse::<Convolution>().unwrap(), one);
        }
        for one in Isa::ALL {
            assert_eq!(one.to_string().parse::<Isa>().unwrap(), one);
        }
        assert_eq!(format!("{:>8}|{:<8}", Convolution::Direct, Isa::Avx2), "  direct|avx2    ");
    }

    #[test]
    fn unknown_names_are_told_with_the_known() {
        let text = "Auto".parse::<Convolution>().unwrap_err().to_string();
        assert_eq!(text, "cpu: unknown way to compute convolutions `Auto`; known: auto, direct");
        let text = "sse".parse::<Isa>().unwrap_err().to_string();
        assert_eq!(text, "cpu: unknown instruction set `sse`; known: avx512, avx2, portable");
    }
}
