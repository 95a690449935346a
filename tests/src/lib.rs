//! What crosses crates: a slow and obvious backend, the conformance suite that holds every backend to it, the program
//! that runs it on any device, a wrapper that counts transfers, and the pictures and weights that a peer's script draws
//! from the same hash.

pub mod conformance;
pub mod counting;
pub mod devices;
pub mod hash;
pub mod seed_cnn;
pub mod toy;

/// The repository's README, whose examples run as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// How to write a backend, whose examples run as documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../docs/backends.md")]
struct Backends;
