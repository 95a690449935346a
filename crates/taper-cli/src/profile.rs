//! `--profile FILE`: writes the table of operations to FILE, and a trace beside it (`.trace.json`).

use crate::failure::Failure;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use taper::Device;
use taper::backend::printable;
use taper::backend::profile::Profiler;
use taper::data::atomic_write;

/// A run that is being profiled.
pub struct Profiling {
    profiler: Arc<Profiler>,
    table: PathBuf,
    trace: PathBuf,
}

impl Profiling {
    /// Wraps `device` so that its operations are measured.
    ///
    /// # Errors
    /// If a profile could not be written to `path` or the trace beside it: reported before the training, not after it.
    pub fn start(path: &Path, device: Device) -> Result<(Device, Self), Failure> {
        let trace = path.with_extension("trace.json");
        for file in [path, &trace] {
            check(file).map_err(|why| {
                Failure::failed(format!("cannot write the profile to {}: {why}", printable(&file.to_string_lossy())))
                    .hint("--profile FILE takes the name of a file in a folder that is there and can be written to")
            })?;
        }
        let (device, profiler) = Profiler::device(device);
        Ok((device, Self { profiler, table: path.to_path_buf(), trace }))
    }

    /// Writes both files, and returns the line that says where they are.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(self) -> Result<String, Failure> {
        let profile = self.profiler.profile();
        atomic_write(&self.table, profile.table().as_bytes())?;
        atomic_write(&self.trace, profile.trace().as_bytes())?;
        Ok(format!(
            "Profile in {}, trace in {}",
            printable(&self.table.to_string_lossy()),
            printable(&self.trace.to_string_lossy())
        ))
    }
}

/// Checks that a file can be created in the folder of `path`. An existing file at `path` is left as it is.
///
/// # Errors
/// The reason, as a phrase, if `path` is a folder or names no file, or if no file can be created beside it.
pub fn check(path: &Path) -> Result<(), String> {
    if path.is_dir() {
        return Err("this is a folder".into());
    }
    let name = path.file_name().ok_or("this names no file")?;
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}.try", std::process::id()));
    let beside = path.with_file_name(beside);
    fs::File::create_new(&beside).map_err(|error| error.to_string())?;
    fs::remove_file(&beside).map_err(|error| error.to_string())
}
