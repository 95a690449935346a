//! What NVRTC is given: a prelude, the types, and a kernel's own text.
//!
//! A source computes on `T`, the dtype as it is stored, through `load(x)` and `store(y, a)`, in `A`: `double` for f64,
//! `long long` for i64, `float` otherwise.

use candle_core::DType;

/// A CUDA C++ source.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// The file's name without `.cu`.
    pub(crate) name: &'static str,
    /// What is in it.
    pub(crate) text: &'static str,
    /// The dtypes that `T` may be.
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests compile it for each"))]
    pub(crate) dtypes: &'static [DType],
    /// Its functions.
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests run each"))]
    pub(crate) entries: &'static [&'static str],
}

/// What float kernels are compiled for.
pub(crate) const FLOATS: &[DType] = &[DType::F32, DType::F64, DType::F16, DType::BF16];

/// Threads in a block, in every launch.
pub(crate) const THREADS: usize = 256;

/// What stands before every source.
pub(crate) const PRELUDE: &str = include_str!("prelude.cu");

impl Kernel {
    /// The types that make the text a kernel for `dtype`.
    pub(crate) fn types(dtype: DType) -> &'static str {
        match dtype {
            DType::F64 => "typedef double T;\ntypedef double A;\n",
            DType::F16 => "typedef f16 T;\ntypedef float A;\n",
            DType::BF16 => "typedef bf16 T;\ntypedef float A;\n",
            DType::I64 => "typedef long long T;\ntypedef long long A;\n",
            _ => "typedef float T;\ntypedef float A;\n",
        }
    }

    /// All that NVRTC compiles for `dtype`.
    pub(crate) fn source(&self, dtype: DType) -> String {
        format!("#define THREADS {THREADS}\n{PRELUDE}{}{}", Self::types(dtype), self.text)
    }

    /// The name of the module compiled for `dtype`.
    pub(crate) fn module(&self, dtype: DType) -> String {
        format!("taper_{}_{}", self.name, dtype.as_str())
    }
}

/// NVRTC's options for a card of this compute capability. No fast mathematics: a NaN must stay one, and division and
/// roots round as IEEE 754 says.
pub(crate) fn options((major, minor): (i32, i32)) -> Vec<String> {
    vec![format!("--gpu-architecture=compute_{major}{minor}"), "--std=c++17".to_owned()]
}
