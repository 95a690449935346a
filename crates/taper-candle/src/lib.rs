#![doc = include_str!("../README.md")]

mod backend;
mod conv;
#[cfg(feature = "cuda")]
mod cuda;
mod data;
mod elementwise;
mod error;
mod fused;
mod index;
mod kernels;
mod loss;
mod matmul;
mod pool;
mod reduce;
mod views;

pub use backend::{CandleBackend, Transfers};
#[cfg(feature = "cuda")]
pub use cuda::cuda_devices;
