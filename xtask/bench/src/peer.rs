//! The other side: a program of its own behind a script in `xtask/peers`.

use crate::settings::Settings;
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use std::process::Command;

/// glibc hands large blocks back to the system after each operation, and has them zeroed again for the next; told to keep them,
/// PyTorch makes a step of a large batch in two thirds of the time. Read when a process starts.
const KEEP_MEMORY: [(&str, &str); 3] =
    [("MALLOC_MMAP_MAX_", "0"), ("MALLOC_TRIM_THRESHOLD_", "1099511627776"), ("MALLOC_TOP_PAD_", "1073741824")];

/// Whom to measure beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    /// PyTorch in its fastest configuration; $TAPER_PYTHON is its Python, else `python3`
    Torch,
    /// Nobody
    None,
}

impl Peer {
    /// How the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Torch => "torch",
            Self::None => "peer",
        }
    }

    /// Its version.
    ///
    /// # Errors
    /// When it is not installed, with what to do.
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

    /// Its worker.
    pub fn worker(self, work: &str, threads: usize, settings: &Settings) -> Command {
        let mut command = Command::new(python());
        command.arg(script()).args([work, "--threads", &threads.to_string()]);
        command.envs(settings.variables().iter().copied());
        // What it takes is measured as it is.
        if work != "memory" {
            command.envs(KEEP_MEMORY);
        }
        command
    }
}

fn python() -> PathBuf {
    std::env::var_os("TAPER_PYTHON").map_or_else(|| "python3".into(), PathBuf::from)
}

/// The peer's program: in the folder that `cargo xtask bench` names, else in that of the workspace we are in.
fn script() -> PathBuf {
    let folder = std::env::var_os("TAPER_PEERS").map_or_else(|| Path::new("xtask/peers").into(), PathBuf::from);
    folder.join("torch_bench.py")
}
