//! `test`: every test of the workspace, with nothing but the clone. No test touches the network; cargo itself fetches
//! what the lock file names, once.

use crate::cargo::{cargo, root, run as start};
use std::ffi::OsString;
use std::io::Result;

/// Unit, integration and documentation tests, and examples, of every crate. `rest` goes to `cargo test`.
pub fn run(rest: &[OsString]) -> Result<u8> {
    let mut tests = cargo();
    tests.args(["test", "--workspace", "--locked", "--no-fail-fast"]).args(rest).current_dir(root()?);
    start(&mut tests)
}
