//! `train`, `eval`, `download`, `gradcheck`: builds the `taper` program and becomes it.

use crate::cargo::{cannot_start, cargo, code, root};
use std::ffi::OsString;
use std::io::{Error, Result};
use std::process::Command;

/// Builds `taper` in the profile that this program was built in, and runs it with `command` and `rest` as they are.
pub fn run(command: &str, rest: &[OsString]) -> Result<u8> {
    let mut build = cargo();
    build.args(["build", "--release", "--package", "taper-cli", "--manifest-path"]).arg(root().join("Cargo.toml"));
    let status = build.status().map_err(|error| cannot_start(&build, &error))?;
    if !status.success() {
        return Ok(code(status));
    }
    // Both programs lie in one folder, wherever the target folder is.
    let here = std::env::current_exe()?;
    let mut taper = Command::new(here.with_file_name(format!("taper{}", std::env::consts::EXE_SUFFIX)));
    taper.arg(command).args(rest);
    if std::env::var_os("TAPER_DOWNLOADS").is_none() {
        taper.env("TAPER_DOWNLOADS", root().join("datasets/downloads"));
    }
    if let Some(commit) = commit() {
        taper.env("TAPER_COMMIT", commit);
    }
    become_it(taper)
}

/// The commit of the clone, marked when files differ from it; `None` without git.
fn commit() -> Option<String> {
    let git = |args: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root()).args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let commit = git(&["rev-parse", "HEAD"])?;
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(if changed { format!("{commit} with changes") } else { commit })
}

/// Replaces this process, so that signals reach the program, and its exit code the caller, with nothing between.
#[cfg(unix)]
fn become_it(mut command: Command) -> Result<u8> {
    use std::os::unix::process::CommandExt;
    let error: Error = command.exec();
    Err(cannot_start(&command, &error))
}

#[cfg(not(unix))]
fn become_it(mut command: Command) -> Result<u8> {
    command.status().map(code).map_err(|error: Error| cannot_start(&command, &error))
}
