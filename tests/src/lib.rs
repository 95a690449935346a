//! Tests across crates: devices by name, PyTorch's own sample inputs ([`op_samples`]), a device wrapper that counts
//! transfers, and synthetic samples and weights that a peer's script draws from the same hash.

pub mod counting;
pub mod devices;
pub mod hash;
pub mod op_samples;
pub mod parity;
pub mod seed_cnn;

/// The repository's README, whose examples run as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// How to write a backend, whose examples run as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/backends.md")]
struct Backends;
