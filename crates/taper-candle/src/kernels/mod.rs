//! Our own kernels, for operations that candle lacks or defines differently from the contract.
//!
//! Each is a Rust file and a CUDA C++ source beside it. On a card, NVRTC compiles the source when it is first used; on
//! candle's CPU device a twin in plain Rust does the same computation. Both are called through candle's custom
//! operations ([`launch::Launch`]). To add a kernel, write `NAME.rs` with a [`source::Kernel`] and `NAME.cu`, and add a
//! line to [`ALL`]. The tests in `check` go through [`ALL`]: they compile every source to PTX, and run every entry on
//! the host beside its twin.

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

/// All kernels.
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
