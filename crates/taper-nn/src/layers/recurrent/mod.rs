//! Recurrent layers: [`Rnn`], [`Lstm`] and [`Gru`], in layers, in both directions, with an initial state and with samples of
//! different lengths; and single steps of them, [`RnnCell`], [`LstmCell`] and [`GruCell`]. Parameters have PyTorch's names, such
//! as `weight_ih_l0` and `bias_hh_l1_reverse`. The equations are told at
//! [`RecurrentCell`](taper_tensor::RecurrentCell).
//!
//! ```
//! use taper_nn::{Context, DType, Device, Lstm, Params, RandomKey, RecurrentConfig, RecurrentInput, Tensor};
//! # fn main() -> taper_nn::Result<()> {
//! # let device = Device::new(taper_cpu::CpuBackend::new()?);
//! let params = Params::new(&device, DType::F32, RandomKey::new(0));
//! let config = RecurrentConfig::new(3, 8).layers(2).bidirectional(true);
//! let lstm = Lstm::new(config, &params)?;
//!
//! let x = Tensor::ones([5, 2, 3], DType::F32, &device)?; // [steps, samples, input]
//! let input = RecurrentInput { lengths: Some(&[5, 2]), ..RecurrentInput::default() };
//! let (y, [h, c]) = lstm.forward_with(&x, input, &Context::eval())?;
//! assert_eq!(y.shape().dims(), [5, 2, 16]); // both directions side by side
//! assert_eq!((h.shape().dims(), c.shape().dims()), (&[4, 2, 8][..], &[4, 2, 8][..])); // layers · directions first
//! # Ok(())
//! # }
//! ```

mod cells;
mod config;
mod gru;
mod lstm;
mod rnn;
mod stack;

pub use cells::{GruCell, LstmCell, RnnCell};
pub use config::{RecurrentConfig, RecurrentInput};
pub use gru::Gru;
pub use lstm::Lstm;
pub use rnn::{Rnn, RnnActivation};

use taper_tensor::gradcheck::Case;

pub(super) fn cases() -> Vec<Case> {
    [rnn::cases(), lstm::cases(), gru::cases(), cells::cases()].into_iter().flatten().collect()
}
