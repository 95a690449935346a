//! NVIDIA cards: counting them, and opening one.

use crate::backend::CandleBackend;
use candle_core::Device;
use candle_core::cuda_backend::cudarc::driver::sys;
use taper_backend::{Error, Result};

/// The number of cards.
///
/// # Errors
/// When there is no driver, or one that does not start.
pub fn cuda_devices() -> Result<usize> {
    // The results are 0 before the calls: a stub of the driver library, which is there for linking only, leaves them 0.
    let (mut version, mut count) = (0, 0);
    // SAFETY: the driver writes one int through the pointer to one.
    let _ = unsafe { sys::cuDriverGetVersion(&mut version) };
    if version == 0 {
        return Err(Error::Device("cuda: no NVIDIA driver on this machine; use --device cpu".into()));
    }
    // SAFETY: the driver's documented first call; its only argument must be 0.
    let started = unsafe { sys::cuInit(0) };
    if started == sys::CUresult::CUDA_ERROR_NO_DEVICE {
        return Ok(0);
    }
    if started != sys::CUresult::CUDA_SUCCESS {
        let detail = format!(
            "cuda: the NVIDIA driver (for CUDA {}.{}) does not start: error {}",
            version / 1000,
            version % 1000 / 10,
            started as u32
        );
        return Err(Error::Device(detail));
    }
    // SAFETY: as above, after cuInit.
    let _ = unsafe { sys::cuDeviceGetCount(&mut count) };
    Ok(usize::try_from(count).unwrap_or(0))
}

impl CandleBackend {
    /// The card number `ordinal`, from 0, named `cuda:N`.
    ///
    /// # Errors
    /// When there is no driver or no such card; the error says how many there are.
    pub fn cuda(ordinal: usize) -> Result<Self> {
        let name = format!("cuda:{ordinal}");
        let cards = cuda_devices()?;
        if ordinal >= cards {
            let there = match cards {
                0 => "this machine has no card; use --device cpu".to_string(),
                1 => "this machine has one card, cuda:0".to_string(),
                _ => format!("this machine has {cards} cards, cuda:0 to cuda:{}", cards - 1),
            };
            return Err(Error::Device(format!("{name}: no such card: {there}")));
        }
        // With a stream of its own, so that tensors can be passed between threads.
        let device = Device::new_cuda_with_stream(ordinal)
            .map_err(|error| Error::Device(format!("{name}: the card cannot be opened: {error}")))?;
        Ok(Self::over(name, device))
    }
}
