//! Candle's errors converted to the contract's.

use candle_core::Device;
use taper_backend::Error;

/// The contract's error for candle's `error` in `op` on `device`, which users call `name`; `asked` is the size in bytes
/// of the result, if known.
pub(crate) fn device_error(
    name: &str,
    device: &Device,
    op: &'static str,
    asked: Option<usize>,
    error: candle_core::Error,
) -> Error {
    let text = error.to_string();
    // Candle passes on errors of the driver, cuBLAS and cuDNN as text, in several forms.
    if text.contains("OUT_OF_MEMORY") || text.contains("out of memory") || text.contains("ALLOC_FAILED") {
        let (free, total) = memory(device).unzip();
        let asked = asked.map(|asked| asked as u64);
        return Error::OutOfMemory { backend: name.to_string(), asked, free, total };
    }
    Error::Device(format!("{name}: {op}: {text}"))
}

/// The free and total memory of a card in bytes.
#[cfg(feature = "cuda")]
fn memory(device: &Device) -> Option<(u64, u64)> {
    let card = device.as_cuda_device().ok()?;
    let (free, total) = card.cuda_stream().context().mem_get_info().ok()?;
    Some((free as u64, total as u64))
}

#[cfg(not(feature = "cuda"))]
fn memory(_device: &Device) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_of_memory_is_told_from_the_rest() {
        let of = |text: &str| {
            let error = candle_core::Error::Msg(text.to_string());
            device_error("cuda:0", &Device::Cpu, "matmul", Some(1 << 20), error)
        };
        let full = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
        assert!(matches!(of(full), Error::OutOfMemory { asked: Some(1_048_576), .. }), "{:?}", of(full));
        assert_eq!(of("unexpected stride").to_string(), "cuda:0: matmul: unexpected stride");
    }
}
