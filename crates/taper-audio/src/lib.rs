#![doc = include_str!("../README.md")]

mod change;
mod clip;
#[cfg(any(feature = "flac", feature = "ogg"))]
mod compressed;
mod error;
mod griffin_lim;
mod mel;
mod mel_inverse;
#[cfg(feature = "resample")]
mod resample;
mod stft;
mod wav;

pub use change::{at_speed, loudest, pink_noise, placed, rms};
pub use clip::Clip;
pub use error::{Error, Result};
pub use griffin_lim::{GriffinLim, griffin_lim};
pub use mel::{Mel, MelConfig, MelScale, MelSpectrogram, hz_to_mel, mel_to_hz};
pub use realfft::num_complex::Complex;
pub use stft::{Padding, Spectrum, Stft, StftConfig, hann};
