//! `ci`: checks the format, clippy and the docs, with warnings as errors, then runs the tests.

use crate::cargo::{cargo, root, run as start};
use crate::{fmt, test};
use std::io::Result;

/// Runs the checks in order and stops at the first that fails, with its exit code.
pub fn run() -> Result<u8> {
    let code = fmt::run(&["--check".into()])?;
    if code != 0 {
        return Ok(code);
    }
    let mut clippy = cargo();
    clippy.args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]);
    // What `cargo xtask` builds for a command that needs no feature.
    let mut least = cargo();
    least.args(["clippy", "--package", "taper-cli", "--no-default-features", "--locked", "--", "-D", "warnings"]);
    let mut docs = cargo();
    docs.args(["doc", "--workspace", "--no-deps", "--locked"]).env("RUSTDOCFLAGS", "-D warnings");
    for command in [&mut clippy, &mut least, &mut docs] {
        let code = start(command.current_dir(root()?))?;
        if code != 0 {
            return Ok(code);
        }
    }
    test::run(&[])
}
