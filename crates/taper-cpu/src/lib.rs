//! Taper's CPU backend. It implements all of [`taper_backend::Backend`], on Rayon threads, with the vector instructions
//! ([`Isa`]) chosen at run time.
//!
//! ```
//! use taper_backend::{Backend, BinaryOp, HostData};
//! use taper_cpu::CpuBackend;
//!
//! # fn main() -> taper_backend::Result<()> {
//! let cpu = CpuBackend::with_threads(2)?;
//! let a = cpu.upload(&HostData::F32(vec![1.0, 2.0, 3.0]), &[3].into())?;
//! let b = cpu.upload(&HostData::F32(vec![10.0]), &[1].into())?;
//! let sum = cpu.binary(BinaryOp::Add, &a, &b)?;
//! assert_eq!(cpu.download(&sum)?, HostData::F32(vec![11.0, 12.0, 13.0]));
//! # Ok(())
//! # }
//! ```
//!
//! Results are bitwise the same whatever the number of threads: work is split by its size alone, and sums are added in
//! a fixed order. Results may differ between instruction sets ([`Isa`]) and convolution algorithms ([`Convolution`]).

mod argmax;
mod avg_pool;
mod backend;
mod binary;
mod conv;
mod conv2d;
mod copy;
mod elementwise;
mod finite;
mod fused;
mod gemm;
mod isa;
mod layout;
mod long_sum;
mod math;
mod matmul;
mod memory;
mod norm;
mod optimiser;
mod options;
mod pad;
mod parallel;
mod reduce;
mod sort;
mod storage;
mod team;
mod transfer;
mod unary;
mod views;
mod window;

// Those that a training step calls most are asked first.
fused::fused_kernels! {
    linear,
    conv_block,
    batch_norm,
    activation,
    max_pool,
    softmax,
    cross_entropy,
    layer_norm,
    recurrent,
    attention,
    dropout,
    index,
}

pub use isa::Isa;
pub use memory::Pool;
pub use options::{Convolution, CpuOptions};

use std::fmt;
use taper_backend::{Buffer, DType, Error, FusedOp, FusedOutput, Result, Rim, Saved};
use team::Team;

/// The CPU backend: threads, a memory pool, and the choice of instruction set and convolution algorithm.
pub struct CpuBackend {
    team: Team,
    pool: Pool,
    isa: Isa,
    convolution: Convolution,
}

impl CpuBackend {
    /// A backend with the default options: one thread for each core that the process may use, the best instruction set.
    ///
    /// # Errors
    /// The system cannot start the threads.
    pub fn new() -> Result<Self> {
        Self::with_options(CpuOptions::default())
    }

    /// A backend with `threads` threads, up to 1024; 0 stands for one per core. Results do not depend on their number.
    ///
    /// # Errors
    /// See [`CpuBackend::with_options`].
    pub fn with_threads(threads: usize) -> Result<Self> {
        Self::with_options(CpuOptions { threads, ..CpuOptions::default() })
    }

    /// A backend with `threads` threads that uses `isa`, for tests and comparisons.
    ///
    /// # Errors
    /// See [`CpuBackend::with_options`].
    pub fn with_isa(threads: usize, isa: Isa) -> Result<Self> {
        Self::with_options(CpuOptions { threads, isa: Some(isa), ..CpuOptions::default() })
    }

    /// A backend with `options`.
    ///
    /// # Errors
    /// More than 1024 threads, an instruction set that this machine lacks, or threads that the system cannot start.
    pub fn with_options(options: CpuOptions) -> Result<Self> {
        let CpuOptions { threads, isa, convolution } = options.resolved()?;
        let isa = isa.unwrap_or(Isa::Portable);
        Ok(Self { team: Team::new(threads)?, pool: Pool::new(), isa, convolution })
    }

    /// The number of threads.
    pub fn threads(&self) -> usize {
        self.team.threads()
    }

    /// The instruction set in use.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The choice of convolution algorithm.
    pub fn convolution(&self) -> Convolution {
        self.convolution
    }

    /// The memory pool that this backend allocates buffers from.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The error for an operation that this backend does not offer for `dtype`.
    pub(crate) fn unsupported(&self, op: &'static str, dtype: DType) -> Error {
        Error::Unsupported { op, dtype, backend: "cpu".to_owned() }
    }
}

impl fmt::Debug for CpuBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CpuBackend({} threads, {}, {} convolution)", self.threads(), self.isa, self.convolution)
    }
}
