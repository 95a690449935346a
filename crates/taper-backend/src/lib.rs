#![doc = include_str!("../README.md")]
//!
//! # The contract
//!
//! A backend is one crate that implements [`Backend`]: about thirty required methods, and optional fused ones (the
//! rim), which return `None` unless the backend overrides them with kernels. Shapes are logical, elements are in
//! row-major order (`[N, C, H, W]` for images, as in PyTorch); the memory layout behind a [`Buffer`] is the backend's
//! own choice.
//!
//! The caller of a backend checks shapes and dtypes once, with the rules of this crate ([`Shape::broadcast_with`],
//! [`Conv2dSpec::output_shape`], …), so that no backend need check them again.

mod backend;
mod buffer;
mod device;
mod distribution;
mod dtype;
mod error;
pub mod files;
mod fused;
pub mod meta;
pub mod observed;
mod op;
mod printable;
pub mod profile;
mod random;
mod scalar;
mod shape;
mod sort;
mod window;

pub use backend::Backend;
pub use buffer::{Buffer, Saved};
pub use device::{Device, WeakDevice};
pub use distribution::{Distribution, Sampler};
pub use dtype::{DType, Element, HostData};
pub use error::{Error, Result};
pub use fused::{AdamSpec, CrossEntropySpec, FusedOp, FusedOutput, RecurrentCell, Reduction, Rim, SgdSpec};
pub use op::{Activation, BinaryOp, CompareOp, PadAmount, ReduceOp, SliceRange, UnaryOp};
pub use printable::{printable, printable_lines};
pub use random::{RandomKey, philox4x32};
pub use shape::Shape;
pub use window::{Conv2dSpec, Pool2dSpec};
