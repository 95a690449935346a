//! The peer: a script in `tests/peers` that runs the same benchmarks in another framework.

use crate::settings::Settings;
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Environment variables that make glibc keep freed memory. By default it returns large blocks to the system after each
/// operation, which zeroes them again for the next; with these, PyTorch's step of a large batch takes two thirds of the
/// time. glibc reads them when a process starts.
const KEEP_MEMORY: [(&str, &str); 3] =
    [("MALLOC_MMAP_MAX_", "0"), ("MALLOC_TRIM_THRESHOLD_", "1099511627776"), ("MALLOC_TOP_PAD_", "1073741824")];

/// The framework to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    /// PyTorch in its fastest configuration; $TAPER_PYTHON is its Python, else `python3`
    Torch,
    /// No peer
    None,
}

impl Peer {
    /// The peer's name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Torch => "torch",
            Self::None => "peer",
        }
    }

    /// The peer's version.
    ///
    /// # Errors
    /// If the peer is not installed; the text says what to do.
    pub fn version(self) -> Result<String, String> {
        if self == Self::None {
            return Err("no peer was asked for".into());
        }
        let advice = "install Python 3 and, with it, `python3 -m pip install torch`, or set TAPER_PYTHON to a Python \
                      that has PyTorch";
        let python = python();
        let output = Command::new(&python).arg(script()).arg("--version").output();
        let output = output.map_err(|error| format!("cannot start `{}`: {error}; {advice}", python.display()))?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr);
            let last = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no word");
            return Err(format!("`{}` says: {}; {advice}", python.display(), last.trim()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
    }

    /// The command that starts the peer's worker process for `work`.
    pub fn worker(self, work: &str, threads: usize, settings: &Settings) -> Command {
        let mut command = Command::new(python());
        command.arg(script()).args([work, "--threads", &threads.to_string()]);
        command.envs(settings.variables().iter().copied());
        // Memory is measured with glibc's defaults.
        if work != "memory" {
            command.envs(KEEP_MEMORY);
        }
        command
    }
}

fn python() -> PathBuf {
    std::env::var_os("TAPER_PYTHON").map_or_else(|| "python3".into(), PathBuf::from)
}

/// The peer's script, in the folder `$TAPER_PEERS`, which `cargo xtask bench` sets, else in `tests/peers` of the
/// current folder.
fn script() -> PathBuf {
    let folder = std::env::var_os("TAPER_PEERS").map_or_else(|| Path::new("tests/peers").into(), PathBuf::from);
    folder.join("torch_bench.py")
}
