//! Layers, losses, initialisation, optimisers and learning-rate schedules: what a neural network is made of.
//!
//! Layers are plain structs, created by `new(config, params)` and applied by [`Module::forward`]. [`Params`] creates
//! all parameters, each under a name, and keeps the list of them for the optimiser and for [`weights`]. Names and
//! shapes are PyTorch's, so that a `.safetensors` file can be exchanged with PyTorch without conversion. [`Context`]
//! says whether this is training or evaluation, keys the random numbers of the step, and captures the outputs of layers
//! by name.
//!
//! ```
//! use taper_nn::{Adam, AdamConfig, Context, CrossEntropy, DType, Device, Linear, LinearConfig, Module, Optimizer};
//! use taper_nn::{Params, Pass, RandomKey, Result, Tensor};
//!
//! struct Classifier {
//!     fc1: Linear,
//!     fc2: Linear,
//! }
//!
//! impl Classifier {
//!     fn new(params: &Params) -> Result<Self> {
//!         Ok(Self {
//!             fc1: Linear::new(LinearConfig::new(4, 16), &params.sub("fc1"))?,
//!             fc2: Linear::new(LinearConfig::new(16, 3), &params.sub("fc2"))?,
//!         })
//!     }
//! }
//!
//! impl Module for Classifier {
//!     fn forward(&self, x: &Tensor, context: &Context) -> Result<Tensor> {
//!         let x = x.pass(&self.fc1, context)?.relu()?; // [N, 16]
//!         x.pass(&self.fc2, context)                   // [N, 3]
//!     }
//! }
//!
//! # fn main() -> Result<()> {
//! let device = Device::new(taper_cpu::CpuBackend::new()?);
//! let params = Params::new(&device, DType::F32, RandomKey::new(0));
//! let model = Classifier::new(&params)?;
//! let mut adam = Adam::new(params.trainable(), AdamConfig { lr: 0.01, ..AdamConfig::default() })?;
//!
//! let x = Tensor::from_vec(vec![5.1f32, 3.5, 1.4, 0.2, 6.7, 3.0, 5.2, 2.3], [2, 4], &device)?; // two flowers
//! let class = Tensor::from_vec(vec![0i64, 2], [2], &device)?;
//! let mut losses = Vec::new();
//! for step in 0..20 {
//!     let logits = model.forward(&x, &Context::train(0, 0, step))?;
//!     let loss = CrossEntropy::default().forward(&logits, &class)?;
//!     adam.step(&loss.backward()?)?;
//!     losses.push(loss.item()?);
//! }
//! assert!(losses[19] < losses[0]);
//! # Ok(())
//! # }
//! ```

mod context;
pub mod gradcheck;
mod init;
mod layers;
mod losses;
mod mix;
mod module;
mod optim;
mod params;
mod pattern;
pub mod schedule;
mod unit;
pub mod weights;

pub use context::{Context, LayerContext, LayerOutput};
pub use init::Init;
pub use layers::*;
pub use losses::*;
pub use mix::{CutMix, Mixup};
pub use module::{Module, Named, Pass, Sequential};
pub use optim::*;
pub use params::Params;
pub use pattern::{matches, renamed};
pub use schedule::Schedule;

pub use taper_tensor;
pub use taper_tensor::{
    Activation, Conv1dSpec, Conv2dSpec, ConvTranspose1dSpec, ConvTranspose2dSpec, DType, Device, Error, Gradients,
    HostData, Interpolation, Param, Pool1dSpec, Pool2dSpec, RandomKey, Reduction, Result, Shape, Tensor, no_grad,
};

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;
