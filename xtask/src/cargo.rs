//! The workspace's root, and starting cargo and other programs.

use std::ffi::OsString;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// The root of the Taper workspace that this program was started for: looked for upwards from `$CARGO_MANIFEST_DIR`,
/// then from the current folder. The folder that the program was compiled in does not matter: target folders are
/// shared, and clones move.
///
/// # Errors
/// If neither is in a Taper workspace.
pub fn root() -> Result<PathBuf> {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    find_root(manifest.as_deref(), &std::env::current_dir()?)
}

fn find_root(manifest: Option<&Path>, here: &Path) -> Result<PathBuf> {
    let mut above = manifest.iter().flat_map(|path| path.ancestors()).chain(here.ancestors());
    above.find(|folder| folder.join("xtask/src/main.rs").is_file()).map(Path::to_path_buf).ok_or_else(|| {
        Error::other(format!("no workspace of Taper in {} or above: start `cargo xtask` in a clone", here.display()))
    })
}

/// The cargo that started this program, else `cargo`.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// Prints `command`, runs it, and returns its exit code.
///
/// # Errors
/// If it cannot be started.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_the_one_that_the_program_was_started_for() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("xtask-root-{}", std::process::id()));
        let clones = [folder.join("one"), folder.join("two")];
        for clone in &clones {
            std::fs::create_dir_all(clone.join("xtask/src"))?;
            std::fs::create_dir_all(clone.join("crates/deep"))?;
            std::fs::write(clone.join("xtask/src/main.rs"), "")?;
        }
        let [one, two] = &clones;
        let found = [
            find_root(Some(&one.join("xtask")), two),
            find_root(None, &two.join("crates/deep")),
            // Started by a program of another project: the current folder decides.
            find_root(Some(&folder), two),
            find_root(None, &folder),
        ];
        std::fs::remove_dir_all(&folder)?;
        let found = found.map(|found| found.map_err(|error| error.to_string()));
        assert_eq!(found[..3], [Ok(one.clone()), Ok(two.clone()), Ok(two.clone())]);
        assert!(found[3].as_ref().is_err_and(|text| text.contains("start `cargo xtask` in a clone")), "{:?}", found[3]);
        Ok(())
    }
}
