//! Candle's errors as ours.

use candle_core::Device;
use taper_backend::Error;

/// What went wrong in `op` on `device`, which users call `name`; `asked`: the bytes of what was being made, if known.
pub(crate) fn device_error(
    name: &str,
    _device: &Device,
    op: &'static str,
    _asked: Option<usize>,
    error: candle_core::Error,
) -> Error {
    Error::Device(format!("{name}: {op}: {error}"))
}
