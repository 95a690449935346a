#![doc = include_str!("../README.md")]

mod device;
pub mod gradcheck;

pub use device::{DeviceOptions, device, device_list, device_names, device_with};
pub use taper_backend::{DType, Device, Error, HostData, RandomKey, Result, Shape};
pub use taper_tensor::{Gradients, Param, Tensor, grad, no_grad};

/// Sound: files, spectrograms.
#[cfg(feature = "audio")]
pub use taper_audio as audio;
/// The interface that device backends implement, and the plain types in it.
pub use taper_backend as backend;
/// Tables of keys, overrides, nearest names.
pub use taper_config as config;
/// Datasets, downloads, augmentation, the batch loader.
pub use taper_data as data;
/// The model zoo.
pub use taper_models as models;
/// Layers, losses, optimisers, schedules.
pub use taper_nn as nn;
/// Charts, pages of HTML, TensorBoard's event files, of plain numbers.
pub use taper_report as report;
/// The tasks and the experiments.
pub use taper_tasks as tasks;
/// Tensors and automatic differentiation.
pub use taper_tensor as tensor;
/// The training loop, checkpoints, reports, hyperparameter searches.
pub use taper_train as train;
