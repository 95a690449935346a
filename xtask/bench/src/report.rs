//! What a run leaves in a file: the machine, the versions, the peak, every sample.

use crate::peak::Peak;
use crate::row::Row;
use serde_json::{Value, json};
use std::path::Path;

/// Writes the report, whole or not at all.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, peaks: &[Peak], peer: &Result<String, String>, rows: &[Row]) -> Result<(), String> {
    let report = json!({
        "machine": machine(),
        "versions": {
            "taper": env!("CARGO_PKG_VERSION"), "commit": std::env::var("TAPER_COMMIT").ok(),
            "peer": peer.as_ref().ok(),
        },
        "peak": peaks.iter().map(Peak::to_json).collect::<Vec<_>>(),
        "works": rows.iter().map(Row::to_json).collect::<Vec<_>>(),
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

/// The processor's name, where the system tells it in a file.
pub fn processor() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}
