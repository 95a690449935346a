//! The CUDA C++ source that NVRTC compiles: a prelude, the types `T` and `A`, and a kernel's own text.
//!
//! A kernel's elements are stored as `T`, the dtype, and computed in `A`: `double` for f64, `long long` for i64,
//! `float` otherwise. `load(x)` converts from `T` to `A`, and `store(y, a)` back.

use candle_core::DType;

/// A CUDA C++ source.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// The file's name without `.cu`.
    pub(crate) name: &'static str,
    /// The file's content.
    pub(crate) text: &'static str,
    /// The dtypes that the source can be compiled for.
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests compile it for each"))]
    pub(crate) dtypes: &'static [DType],
    /// The names of its kernel functions.
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests run each"))]
    pub(crate) entries: &'static [&'static str],
}

/// The dtypes of float kernels.
pub(crate) const FLOATS: &[DType] = &[DType::F32, DType::F64, DType::F16, DType::BF16];

/// Threads per block, in every launch on a card.
pub(crate) const THREADS: usize = 256;

/// The text that precedes every source.
pub(crate) const PRELUDE: &str = include_str!("prelude.cu");

impl Kernel {
    /// The definitions of `T` and `A` for `dtype`.
    pub(crate) fn types(dtype: DType) -> &'static str {
        match dtype {
            DType::F64 => "typedef double T;\ntypedef double A;\n",
            DType::F16 => "typedef f16 T;\ntypedef float A;\n",
            DType::BF16 => "typedef bf16 T;\ntypedef float A;\n",
            DType::I64 => "typedef long long T;\ntypedef long long A;\n",
            _ => "typedef float T;\ntypedef float A;\n",
        }
    }

    /// The whole source that NVRTC compiles for `dtype`.
    pub(crate) fn source(&self, dtype: DType) -> String {
        format!("#define THREADS {THREADS}\n{PRELUDE}{}{}", Self::types(dtype), self.text)
    }

    /// The name of the module compiled for `dtype`.
    pub(crate) fn module(&self, dtype: DType) -> String {
        format!("taper_{}_{}", self.name, dtype.as_str())
    }
}

/// NVRTC's options for a card of this compute capability (major, minor). Fast math is off: NaN must stay NaN, and
/// division and square roots must round as IEEE 754 says.
pub(crate) fn options((major, minor): (i32, i32)) -> Vec<String> {
    vec![format!("--gpu-architecture=compute_{major}{minor}"), "--std=c++17".to_owned()]
}
