#![doc = include_str!("../README.md")]
//!
//! # The contract
//!
//! A backend is one crate that implements [`Backend`]: about thirty required methods, and a rim of optional fused ones
//! that return `None` until somebody makes them fast. Shapes are logical and row-major in meaning (`[N, C, H, W]` for
//! pictures, as in PyTorch); how a [`Buffer`]'s bytes really lie is the backend's own affair.
//!
//! Shapes and dtypes are checked once, above the backend, with the rules of this crate ([`Shape::broadcast_with`],
//! [`Conv2dSpec::output_shape`], …), so that every backend may trust what it is handed.

mod backend;
mod buffer;
mod device;
mod distribution;
mod dtype;
mod error;
pub mod files;
mod fused;
pub mod observed;
mod op;
mod printable;
pub mod profile;
mod random;
mod scalar;
mod shape;
mod window;

pub use backend::Backend;
pub use buffer::{Buffer, Saved};
pub use device::{Device, WeakDevice};
pub use distribution::{Distribution, Sampler};
pub use dtype::{DType, Element, HostData};
pub use error::{Error, Result};
pub use fused::{AdamSpec, CrossEntropySpec, ParamGrads, Reduction, Rim, SgdSpec};
pub use op::{Activation, BinaryOp, CompareOp, PadAmount, ReduceOp, SliceRange, UnaryOp};
pub use printable::{printable, printable_lines};
pub use random::{RandomKey, philox4x32};
pub use shape::Shape;
pub use window::{Conv2dSpec, Pool2dSpec};
