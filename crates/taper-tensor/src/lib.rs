//! A tensor with a tape.
//!
//! [`Tensor`] is the one public type: a value on some [`Device`], and, where a gradient may be wanted, the node of the
//! tape that made it. Each differentiable operation is one file in `ops/`, with its forward, its backward rule and the
//! cases that gradient checking runs, side by side. [`Tensor::backward`] walks the tape and returns the [`Gradients`];
//! [`grad`] gives gradients of chosen inputs, gradients of gradients included.
//!
//! ```
//! use taper_tensor::{Device, Tensor};
//! # fn main() -> taper_tensor::Result<()> {
//! let device = Device::new(taper_cpu::CpuBackend::new()?);
//! let x = Tensor::from_vec(vec![1.0, -2.0, 3.0], [3], &device)?.requires_grad();
//! let y = x.mul(&x)?.sum_all()?;             // y = Σ x²
//! let gradients = y.backward()?;
//! assert_eq!(gradients.of(&x).unwrap().to_vec::<f64>()?, [2.0, -4.0, 6.0]); // dy/dx = 2x
//! # Ok(())
//! # }
//! ```

mod check;
mod create;
pub mod gradcheck;
mod ops;
mod param;
mod pending;
mod tape;
mod tensor;

pub use ops::{CrossEntropyOptions, NllOptions, NormStats};
pub use param::Param;
pub use tape::{GradOptions, Gradients, grad, grad_enabled, no_grad};
pub use taper_backend::{
    Activation, AdamSpec, Buffer, Conv2dSpec, CrossEntropySpec, DType, Device, Distribution, Element, Error, HostData,
    PadAmount, Pool2dSpec, RandomKey, Reduction, Result, SgdSpec, Shape, SliceRange,
};
pub use taper_backend::{files, printable, printable_lines, profile};
pub use tensor::Tensor;

/// The example of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
