//! Taper's backend for the CPU: the whole contract of [`taper_backend`], with threads (Rayon) and vector instructions
//! chosen at run time.
//!
//! ```
//! use taper_backend::{Backend, BinaryOp, HostData};
//! use taper_cpu::CpuBackend;
//!
//! # fn main() -> taper_backend::Result<()> {
//! let cpu = CpuBackend::with_threads(2)?;
//! let a = cpu.upload(HostData::F32(vec![1.0, 2.0, 3.0]), &[3].into())?;
//! let b = cpu.upload(HostData::F32(vec![10.0]), &[1].into())?;
//! let sum = cpu.binary(BinaryOp::Add, &a, &b)?;
//! assert_eq!(cpu.download(&sum)?, HostData::F32(vec![11.0, 12.0, 13.0]));
//! # Ok(())
//! # }
//! ```
//!
//! Results are bitwise the same whatever the number of threads: work is split by its size alone, and sums are taken in
//! a fixed order. They may differ between instruction sets ([`Isa`]) and ways to convolve ([`Convolution`]).

mod activation;
mod argmax;
mod avg_pool;
mod backend;
mod batch_norm;
mod binary;
mod conv;
mod conv2d;
mod conv_block;
mod copy;
mod cross_entropy;
mod dropout;
mod elementwise;
mod finite;
mod gemm;
mod index;
mod isa;
mod layer_norm;
mod layout;
mod linear;
mod long_sum;
mod math;
mod matmul;
mod max_pool;
mod memory;
mod norm;
mod optimiser;
mod options;
mod pad;
mod parallel;
mod reduce;
mod softmax;
mod storage;
mod transfer;
mod unary;
mod views;
mod window;

pub use isa::Isa;
pub use memory::Pool;
pub use options::{Convolution, CpuOptions};

use std::fmt;
use taper_backend::{DType, Error, Result};

/// The CPU: a pool of threads, a pool of memory, and the kernels that are chosen from.
pub struct CpuBackend {
    threads: rayon::ThreadPool,
    pool: Pool,
    isa: Isa,
    convolution: Convolution,
}

impl CpuBackend {
    /// A backend that uses every core the process may use.
    pub fn new() -> Result<Self> {
        Self::with_options(CpuOptions::default())
    }

    /// A backend of `threads` threads, up to 1024; 0 for one a core. Results do not depend on their number.
    pub fn with_threads(threads: usize) -> Result<Self> {
        Self::with_options(CpuOptions { threads, ..CpuOptions::default() })
    }

    /// A backend that uses `isa`, which this machine must have: for tests and comparisons.
    pub fn with_isa(threads: usize, isa: Isa) -> Result<Self> {
        Self::with_options(CpuOptions { threads, isa: Some(isa), ..CpuOptions::default() })
    }

    /// A backend made with `options`.
    ///
    /// # Errors
    /// Too many threads, an instruction set that this machine lacks, or threads that the system will not start.
    pub fn with_options(options: CpuOptions) -> Result<Self> {
        let CpuOptions { threads, isa, convolution } = options.resolved()?;
        let isa = isa.unwrap_or(Isa::Portable);
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("taper-cpu-{i}"))
            .build()
            .map_err(|e| Error::Device(format!("cannot start the threads of the CPU backend: {e}")))?;
        Ok(Self { threads, pool: Pool::new(), isa, convolution })
    }

    /// The number of threads.
    pub fn threads(&self) -> usize {
        self.threads.current_num_threads()
    }

    /// The instruction set in use.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// How convolutions are computed.
    pub fn convolution(&self) -> Convolution {
        self.convolution
    }

    /// The memory that buffers come from and return to.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Runs `work` on the pool's threads: whatever it splits with Rayon stays inside this backend's pool.
    pub(crate) fn install<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.threads.install(work)
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
