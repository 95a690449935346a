//! The commands of `taper`. The program is built with the least, and asked what the command line needs beyond that
//! (`taper needs -- LINE`); only if it needs anything, it is built again.

use crate::cargo::root;
use crate::device;
use crate::program::{Environment, TAPER, become_it, environment};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Result;
use std::process::Stdio;

macro_rules! commands {
    ($($name:literal $module:ident::$command:ident $about:literal;)*) => {
        /// The commands of `taper` and what they do, from the program's own list.
        pub const COMMANDS: &[(&str, &str)] = &[$(($name, $about)),*];
    };
}

include!("../../crates/taper-cli/src/commands/list.rs");

/// Builds `taper` with what `command` with the arguments `rest` needs, and runs it.
///
/// # Errors
/// If it needs CUDA and there is no card, or its toolkit is not found; if a program cannot be started.
pub fn run(command: &str, rest: &[OsString]) -> Result<u8> {
    let root = root()?;
    let environment = environment(&root);
    let code = TAPER.build(&root, &BTreeSet::new())?;
    if code != 0 {
        return Ok(code);
    }
    let needed = needs(&environment, command, rest)?;
    if !needed.is_empty() {
        if needed.contains("cuda") {
            device::check_cuda()?;
        }
        let code = TAPER.build(&root, &needed)?;
        if code != 0 {
            return Ok(code);
        }
    }
    let mut taper = TAPER.command(&environment)?;
    taper.arg(command).args(rest);
    become_it(taper)
}

/// The features that the built program lacks for this command line; none if it cannot be asked.
fn needs(environment: &Environment, command: &str, rest: &[OsString]) -> Result<BTreeSet<String>> {
    let mut ask = TAPER.command(environment)?;
    ask.args(["needs", "--", command]).args(rest).stdin(Stdio::null()).stderr(Stdio::null());
    let told = ask.output().map(|output| output.stdout).unwrap_or_default();
    Ok(String::from_utf8_lossy(&told).lines().map(str::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::cargo;

    #[test]
    fn commands_are_those_of_the_program() {
        assert!(COMMANDS.contains(&("train", "Train an experiment")), "{COMMANDS:?}");
        assert!(COMMANDS.iter().all(|(name, about)| !name.is_empty() && !about.ends_with('.')), "{COMMANDS:?}");
    }

    /// MNIST's files in the downloads' folder are compressed, and are read from there with `--offline` too.
    #[test]
    fn a_build_without_the_network_reads_compressed_files() {
        let mut tree = cargo();
        tree.args(["tree", "--locked", "--offline", "--package", "taper-cli", "--no-default-features"]);
        tree.args(["--edges", "normal", "--prefix", "none", "--format", "{p} {f}"]).current_dir(root().unwrap());
        let output = tree.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let data = text.lines().find(|line| line.starts_with("taper-data ")).unwrap_or_default();
        assert!(data.contains("gzip") && !data.contains("download"), "{text}");
        assert!(!text.contains("ureq") && !text.contains("rustls"), "{text}");
    }
}
