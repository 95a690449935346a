//! What the builds that users start depend on: no candle unless it is asked for, and an xtask that is there in a second.

use std::process::Command;

/// The packages in `cargo tree` with the arguments of `line`, from what is fetched already.
fn packages(line: &str) -> Vec<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let mut tree = Command::new(cargo);
    tree.args(["tree", "--locked", "--offline", "--prefix", "none", "--format", "{p}"]).args(line.split(' '));
    let output = tree.output().unwrap();
    assert!(output.status.success(), "cargo tree {line}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(|line| Some(line.split(' ').next()?.to_string())).collect()
}

fn of_candle(packages: &[String]) -> Vec<&String> {
    packages.iter().filter(|name| ["candle", "cudarc"].iter().any(|part| name.contains(part))).collect()
}

/// Features of crates that are built together are joined; what `taper-cli` is built with must not depend on the crates
/// beside it.
#[test]
fn the_default_build_holds_no_candle() {
    let default = packages("--package taper-cli --edges normal,build");
    assert!(default.iter().any(|name| name == "taper-cpu"), "{default:?}");
    assert_eq!(of_candle(&default), Vec::<&String>::new());
    let asked = packages("--package taper-cli --edges normal,build --features candle");
    assert!(asked.iter().any(|name| name == "candle-core"), "{asked:?}");
    assert!(!asked.iter().any(|name| name == "cudarc"), "{asked:?}");
}

/// Readers of one's own data are for programs that ask for them.
#[test]
fn the_default_build_holds_no_readers_of_ones_own_data() {
    let default = packages("--package taper-cli --edges normal,build");
    let readers = ["csv", "image", "parquet", "zip"];
    assert_eq!(
        default.iter().filter(|name| readers.contains(&name.as_str())).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    let with = packages("--package taper-data --edges normal,build --all-features");
    assert!(readers.iter().all(|reader| with.iter().any(|name| name == reader)), "{with:?}");
}

#[test]
fn xtask_depends_on_nothing() {
    assert_eq!(packages("--package xtask --edges all"), ["xtask"]);
}
