//! Taking noise out of sounds: a mask for the frames of a Fourier transform, found by a network.

mod masking;
mod mixtures;
mod noises;
mod report;
mod subtraction;
mod task;

pub use masking::{Masking, MaskingSpec};
pub use task::Denoising;

pub(crate) use masking::levelling;
pub(crate) use mixtures::{Mixing, Mixtures};
pub(crate) use noises::{Noise, Noises};
