//! Starting programs.

use std::ffi::OsString;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// The root of the workspace.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The cargo that started this program.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// Prints `command`, runs it, and returns its exit code.
pub fn run(command: &mut Command) -> Result<u8> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let settings: Vec<String> = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={} ", name.to_string_lossy(), value?.to_string_lossy())))
        .collect();
    eprintln!("$ {}{}", settings.concat(), words.join(" "));
    command.status().map(code).map_err(|error| cannot_start(command, &error))
}

/// A process's exit code; 1 when a signal ended it.
pub fn code(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

pub fn cannot_start(command: &Command, error: &Error) -> Error {
    Error::other(format!("cannot start {}: {error}", command.get_program().to_string_lossy()))
}
