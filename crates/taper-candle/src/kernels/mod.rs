//! Kernels that candle lacks, or computes with other semantics than the contract's.
//!
//! Each is one Rust file and, beside it, one CUDA C++ source. The source is compiled when it is first needed, for the card
//! that is there, by NVRTC; on candle's CPU device a twin in plain Rust does the same. Both stand behind candle's custom
//! operations ([`launch::Launch`]). To add one: `NAME.rs` with a [`source::Kernel`], `NAME.cu`, and a line in [`ALL`], which
//! the tests in `check` walk: they compile every source to PTX, and run every entry on the host beside its twin.

pub(crate) mod activation;
pub(crate) mod adam;
pub(crate) mod arithmetic;
pub(crate) mod batch_norm;
#[cfg(test)]
mod check;
#[cfg(feature = "cuda")]
mod cuda;
pub(crate) mod dropout;
pub(crate) mod finite;
mod integer;
#[cfg_attr(
    not(any(test, feature = "cuda")),
    expect(dead_code, reason = "on the host alone, nothing reads what a card would be told")
)]
mod launch;
pub(crate) mod max_pool;
mod number;
pub(crate) mod sgd;
#[cfg_attr(
    not(any(test, feature = "cuda")),
    expect(dead_code, reason = "on the host alone, nothing reads what a card would be told")
)]
mod source;

/// Every source.
#[cfg(test)]
pub(crate) const ALL: [&source::Kernel; 9] = [
    &activation::KERNEL,
    &adam::KERNEL,
    &arithmetic::KERNEL,
    &batch_norm::KERNEL,
    &dropout::KERNEL,
    &finite::KERNEL,
    &integer::KERNEL,
    &max_pool::KERNEL,
    &sgd::KERNEL,
];
