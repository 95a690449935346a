//! The commands, one file each.

pub mod download;
pub mod eval;
pub mod find_lr;
pub mod gradcheck;
pub mod runs;
pub mod train;
pub mod tune;

use crate::failure::Failure;
use std::path::PathBuf;
use taper::data::LocateOptions;
use taper::train::{Config, DeviceConfig, nearest};
use taper::{Device, DeviceOptions, Error};

/// The environment variable that names the downloads' folder.
pub const DOWNLOADS_VARIABLE: &str = "TAPER_DOWNLOADS";

/// The environment variable in which `cargo xtask` passes the commit that the program was built from.
const COMMIT_VARIABLE: &str = "TAPER_COMMIT";

/// The commit that the program was built from, if `cargo xtask` passed it.
pub fn commit() -> Option<String> {
    std::env::var(COMMIT_VARIABLE).ok().filter(|commit| !commit.is_empty())
}

/// The downloads' folder: `$TAPER_DOWNLOADS`, else `taper/datasets` in the user's cache folder.
pub fn downloads() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set(DOWNLOADS_VARIABLE)
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("taper/datasets")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/taper/datasets")))
        .or_else(|| set("LOCALAPPDATA").map(|local| local.join("taper/datasets")))
        .unwrap_or_else(|| "datasets/downloads".into())
}

/// Where to look for data: in `data_dir` alone if it is given, else as the environment says; without the network if
/// `offline`.
pub fn locate(data_dir: &Option<PathBuf>, offline: bool) -> LocateOptions {
    LocateOptions { data_dir: data_dir.clone(), offline, ..LocateOptions::from_environment(downloads()) }
}

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
