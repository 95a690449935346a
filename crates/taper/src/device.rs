//! Devices by name: the one place that knows which backends this build has.

use crate::{Device, Error, Result};

/// The names of the devices that this build has.
pub fn device_names() -> Vec<&'static str> {
    let mut names = Vec::new();
    if cfg!(feature = "cpu") {
        names.push("cpu");
    }
    names
}

/// The device called `name`: `cpu`, with a thread for every core.
///
/// # Errors
/// When this build has no such device; the error lists those that it has.
pub fn device(name: &str) -> Result<Device> {
    device_with_threads(name, 0)
}

/// The device called `name`, the CPU with `threads` threads (1 to 1024; 0 for one a core). Results do not depend on
/// their number.
///
/// # Errors
/// As [`device`]; and a number of threads out of range.
pub fn device_with_threads(name: &str, threads: usize) -> Result<Device> {
    match name {
        #[cfg(feature = "cpu")]
        "cpu" if threads == 0 => Ok(Device::new(taper_cpu::CpuBackend::new()?)),
        #[cfg(feature = "cpu")]
        "cpu" => Ok(Device::new(taper_cpu::CpuBackend::with_threads(threads)?)),
        _ => {
            let _ = threads;
            Err(unknown(name))
        }
    }
}

fn unknown(name: &str) -> Error {
    let known = device_names();
    let known = if known.is_empty() { "none; add the feature `cpu`".to_string() } else { known.join(", ") };
    let what = if name == "cuda" || name.starts_with("cuda:") {
        format!("`{name}`: this build has no CUDA backend")
    } else {
        format!("unknown device `{name}`")
    };
    Error::argument("device", format!("{what}; known: {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "cpu")]
    fn devices_are_found_by_name() {
        assert_eq!(device("cpu").unwrap().name(), "cpu");
        assert_eq!(device_with_threads("cpu", 2).unwrap().name(), "cpu");
        let text = device_with_threads("cpu", 5000).unwrap_err().to_string();
        assert!(text.contains("from 1 to 1024"), "{text}");
    }

    #[test]
    #[cfg(feature = "cpu")]
    fn others_are_told() {
        let text = |name| device(name).unwrap_err().to_string();
        assert_eq!(text("tpu"), "device: unknown device `tpu`; known: cpu");
        assert_eq!(text("cuda:0"), "device: `cuda:0`: this build has no CUDA backend; known: cpu");
    }
}
