#![doc = include_str!("../README.md")]

mod backend;
mod conv;
mod data;
mod elementwise;
mod error;
mod index;
mod kernels;
mod loss;
mod matmul;
mod pool;
mod reduce;
mod views;

pub use backend::{CandleBackend, Transfers};
