//! `test`: runs every test of the workspace. The tests need nothing but the clone: none uses the network, though cargo
//! downloads the dependencies of the lock file once.

use crate::cargo::{cargo, root, run as start};
use std::ffi::OsString;
use std::io::Result;

/// The seed of the samples that property tests draw: the same tests on every machine. Others: `PROPTEST_RNG_SEED=1 cargo
/// xtask test`.
const SEED: (&str, &str) = ("PROPTEST_RNG_SEED", "0");

/// Runs the unit, integration and documentation tests of every crate, and builds the examples. `rest` goes to `cargo
/// test`.
pub fn run(rest: &[OsString]) -> Result<u8> {
    let mut tests = cargo();
    if std::env::var_os(SEED.0).is_none() {
        tests.env(SEED.0, SEED.1);
    }
    tests.args(["test", "--workspace", "--locked", "--no-fail-fast"]).args(rest).current_dir(root()?);
    start(&mut tests)
}
