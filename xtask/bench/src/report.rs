//! The JSON report of a run: the machine, the versions, the settings, the peak and every sample.

use crate::memory::Growth;
use crate::peak::Peak;
use crate::row::Row;
use crate::settings::Settings;
use serde_json::{Value, json};
use std::path::Path;

/// The settings and results of a run.
pub struct Run<'a> {
    pub settings: &'a Settings,
    /// The peer's version, or why there is no peer.
    pub peer: &'a Result<String, String>,
    pub peaks: &'a [Peak],
    pub rows: &'a [Row],
    pub growth: &'a Option<Growth>,
}

/// Writes the report to `path` atomically.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, run: &Run<'_>) -> Result<(), String> {
    let Run { settings, peer, peaks, rows, growth } = run;
    let report = json!({
        "machine": machine(),
        "versions": {
            "taper": env!("CARGO_PKG_VERSION"), "commit": std::env::var("TAPER_COMMIT").ok(),
            "peer": peer.as_ref().ok(),
        },
        "settings": settings.to_json(),
        "peak": peaks.iter().map(Peak::to_json).collect::<Vec<_>>(),
        "works": rows.iter().map(Row::to_json).collect::<Vec<_>>(),
        "memory": growth.as_ref().map(Growth::to_json),
    });
    let text = format!("{report:#}\n");
    taper::data::atomic_write(path, text.as_bytes()).map_err(|error| error.to_string())
}

fn machine() -> Value {
    json!({
        "processor": processor(), "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "system": std::env::consts::OS, "architecture": std::env::consts::ARCH,
    })
}

/// The processor's name from `/proc/cpuinfo`, if there is that file.
pub fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}
