//! The device to compute on.

use crate::failure::Failure;
use taper::train::{Config, DeviceConfig, nearest};
use taper::{Device, DeviceOptions, Error};

/// The device that `config` names, with its options.
///
/// # Errors
/// As [`named_device`].
pub fn device(config: &Config) -> Result<Device, Failure> {
    let DeviceConfig { name, threads, isa, conv } = &config.device;
    named_device(name, DeviceOptions { threads: *threads, isa, convolution: conv })
}

/// The device called `name`.
///
/// # Errors
/// A usage error for a name or option that this build does not know; a failure for hardware that is not there.
pub fn named_device(name: &str, options: DeviceOptions<'_>) -> Result<Device, Failure> {
    let detail = match taper::device_with(name, options) {
        Ok(device) => return Ok(device),
        Err(Error::Argument { detail, .. }) => detail,
        Err(error) => return Err(error.into()),
    };
    let near = nearest(name, taper::device_names());
    let failure = Failure::usage(&detail);
    // Similar names are suggested only for an unknown name, not for a bad option of a known device.
    let slip = detail.starts_with("unknown") && !near.is_empty();
    Err(if slip { failure.hint(format!("did you mean {}?", near.join(" or "))) } else { failure })
}
