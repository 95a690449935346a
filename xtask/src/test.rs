//! `test`: runs every test of the workspace. The tests need nothing but the clone: none uses the network, though cargo
//! downloads the dependencies of the lock file once.

use crate::cargo::{cargo, root, run as start};
use std::ffi::OsString;
use std::io::Result;

/// Runs the unit, integration and documentation tests of every crate, and builds the examples. `rest` goes to `cargo
/// test`.
pub fn run(rest: &[OsString]) -> Result<u8> {
    let mut tests = cargo();
    tests.args(["test", "--workspace", "--locked", "--no-fail-fast"]).args(rest).current_dir(root()?);
    start(&mut tests)
}
