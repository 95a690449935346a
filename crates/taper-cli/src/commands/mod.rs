//! The commands, one a file.

pub mod download;
pub mod eval;
pub mod gradcheck;
pub mod train;

use crate::failure::Failure;
use std::path::PathBuf;
use taper::Device;
use taper::data::LocateOptions;
use taper::train::{Config, nearest};

/// The environment variable that names the downloads' folder.
pub const DOWNLOADS_VARIABLE: &str = "TAPER_DOWNLOADS";

/// Where downloads go and are found: `$TAPER_DOWNLOADS`, or a folder in the user's cache.
pub fn downloads() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set(DOWNLOADS_VARIABLE)
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("taper/datasets")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/taper/datasets")))
        .or_else(|| set("LOCALAPPDATA").map(|local| local.join("taper/datasets")))
        .unwrap_or_else(|| "datasets/downloads".into())
}

/// Where to look for data.
pub fn locate(data_dir: &Option<PathBuf>, offline: bool) -> LocateOptions {
    LocateOptions { data_dir: data_dir.clone(), offline, ..LocateOptions::from_environment(downloads()) }
}

/// The device that `config` names.
pub fn device(config: &Config) -> Result<Device, Failure> {
    named_device(&config.device.name, config.device.threads)
}

/// The device called `name`; an unknown name is a wrong request.
pub fn named_device(name: &str, threads: usize) -> Result<Device, Failure> {
    let known = taper::device_names();
    let error = match taper::device_with_threads(name, threads) {
        Ok(device) => return Ok(device),
        Err(error) => error,
    };
    if known.contains(&name) {
        return Err(error.into());
    }
    let near = nearest(name, known);
    let failure = Failure::usage(error.to_string().trim_start_matches("device: "));
    Err(if near.is_empty() { failure } else { failure.hint(format!("did you mean {}?", near.join(" or "))) })
}
