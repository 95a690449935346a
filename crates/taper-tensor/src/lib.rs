//! Tensors with automatic differentiation (reverse mode, on a tape).
//!
//! A [`Tensor`] is a value on a [`Device`] and, where it depends on something that requires a gradient, the node of the
//! tape that computed it. Each differentiable operation is one file in `ops/`, with its forward, its backward rule and
//! the cases of its gradient check. [`Tensor::backward`] runs the backward pass over the tape and returns the
//! [`Gradients`]; [`grad`] gives the gradients of chosen inputs, and with `create_graph` gradients of gradients. A
//! [`Param`] is a named tensor that training overwrites.
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
mod patterns;
mod pending;
mod tape;
mod tensor;

pub use ops::{
    AttentionOptions, Conv1dSpec, ConvTranspose1dSpec, ConvTranspose2dSpec, CrossEntropyOptions, Interpolation,
    NllOptions, NormStats, Pool1dSpec, RecurrentOptions, RecurrentOutput, RecurrentWeights, UnfoldSpec,
};
pub use param::Param;
pub use tape::{GradOptions, Gradients, grad, grad_enabled, no_grad};
pub use taper_backend::{
    Activation, AdamSpec, Buffer, Conv2dSpec, CrossEntropySpec, DType, Device, Distribution, Element, Error, HostData,
    PadAmount, Pool2dSpec, RandomKey, RecurrentCell, Reduction, Result, SgdSpec, Shape, SliceRange,
};
pub use taper_backend::{files, meta, printable, printable_lines, profile};
pub use tensor::Tensor;

/// The example of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
