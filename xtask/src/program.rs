//! Building a program of the workspace, and starting it in place of this process.

use crate::cargo::{cannot_start, cargo, code};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The cargo profile of all programs but the benchmarks: it compiles faster than `release`.
const FIRST: &str = "first";

/// A program of the workspace.
pub struct Program {
    package: &'static str,
    name: &'static str,
    profile: &'static str,
}

/// The program of all commands that are not xtask's own.
pub const TAPER: Program = Program { package: "taper-cli", name: "taper", profile: FIRST };
/// The program of checks that cross crates.
pub const TESTS: Program = Program { package: "taper-tests", name: "taper-tests", profile: FIRST };
/// The benchmarks, built with the profile of what is shipped.
pub const BENCH: Program = Program { package: "taper-bench", name: "taper-bench", profile: "release" };

impl Program {
    /// Builds it with these features of its package and no others, since each adds much to the time of the first build.
    /// The exit code is that of cargo.
    ///
    /// # Errors
    /// If cargo cannot be started.
    pub fn build(&self, root: &Path, features: &BTreeSet<String>) -> Result<u8> {
        let mut build = cargo();
        build.args(["build", "--profile", self.profile, "--package", self.package, "--bin", self.name]);
        build.arg("--manifest-path").arg(root.join("Cargo.toml")).arg("--no-default-features");
        if !features.is_empty() {
            build.args(["--features", &features.iter().cloned().collect::<Vec<_>>().join(",")]);
        }
        build.status().map(code).map_err(|error| cannot_start(&build, &error))
    }

    /// The program, to be started in `environment`.
    ///
    /// # Errors
    /// If the path of this program, beside which it lies, is not known.
    pub fn command(&self, environment: &Environment) -> Result<Command> {
        let mut command = Command::new(self.file(&std::env::current_exe()?));
        command.envs(environment.iter().cloned());
        Ok(command)
    }

    /// The path of the built program: `here`, this program, is in a profile's folder of the target folder, and the other
    /// is in that of its own profile beside it.
    fn file(&self, here: &Path) -> PathBuf {
        let target = here.parent().and_then(Path::parent).unwrap_or(here);
        target.join(self.profile).join(format!("{}{}", self.name, std::env::consts::EXE_SUFFIX))
    }
}

/// Variables with their values.
pub type Environment = Vec<(&'static str, OsString)>;

/// What a program is told: that xtask started it, the commit, and the folders of the clone. Asking for the commit takes
/// a moment, so that it is done before the build: between a build and the start of what was built, another xtask may build
/// the program with other features.
pub fn environment(root: &Path) -> Environment {
    let mut told = vec![("TAPER_XTASK", "1".into()), ("TAPER_PEERS", root.join("tests/peers").into())];
    if std::env::var_os("TAPER_DOWNLOADS").is_none() {
        told.push(("TAPER_DOWNLOADS", root.join("datasets/downloads").into()));
    }
    told.extend(commit(root).map(|commit| ("TAPER_COMMIT", commit.into())));
    told
}

/// The commit of the clone, with a note if tracked files differ from it; `None` without git.
fn commit(root: &Path) -> Option<String> {
    let git = |args: &[&str]| {
        let output = Command::new("git").arg("-C").arg(root).args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let commit = git(&["rev-parse", "HEAD"])?;
    let changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(if changed { format!("{commit} with changes") } else { commit })
}

/// Replaces this process by `command`, so that signals reach the program and its exit code reaches the caller directly.
/// Elsewhere than on Unix it waits for the program.
#[cfg(unix)]
pub fn become_it(mut command: Command) -> Result<u8> {
    use std::os::unix::process::CommandExt;
    let error: Error = command.exec();
    Err(cannot_start(&command, &error))
}

#[cfg(not(unix))]
pub fn become_it(mut command: Command) -> Result<u8> {
    command.status().map(code).map_err(|error: Error| cannot_start(&command, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_measured_is_what_is_shipped_and_all_else_is_there_soon() {
        let name = |program: &str| format!("{program}{}", std::env::consts::EXE_SUFFIX);
        let here = Path::new("/t").join("first").join(name("xtask"));
        assert_eq!(TAPER.file(&here), Path::new("/t/first").join(name("taper")));
        assert_eq!(TESTS.file(&here), Path::new("/t/first").join(name("taper-tests")));
        assert_eq!(BENCH.file(&here), Path::new("/t/release").join(name("taper-bench")));
    }
}
