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

/// Readers of one's own data are for programs and command lines that ask for them: neither the façade has them, nor what
/// `cargo xtask` builds first. The program as it is installed has them.
#[test]
fn the_first_build_holds_no_readers_of_ones_own_data() {
    let readers = ["csv", "image", "parquet", "rawzip", "roxmltree", "unicode-properties", "zip"];
    for first in ["--package taper-ml", "--package taper-cli --no-default-features"] {
        let first = packages(&format!("{first} --edges normal,build"));
        assert!(first.iter().any(|name| name == "taper-tasks"), "{first:?}");
        assert_eq!(first.iter().find(|name| readers.contains(&name.as_str())), None);
    }
    let installed = packages("--package taper-cli --edges normal,build");
    assert!(readers[..5].iter().all(|reader| installed.iter().any(|name| name == reader)), "{installed:?}");
    let with = packages("--package taper-data --edges normal,build --features bpe,coco,csv,npz,parquet");
    let with = |reader: &&&str| with.iter().any(|name| name == **reader);
    // That of PyTorch's files is a feature of taper-nn.
    assert_eq!(readers.iter().filter(with).count(), readers.len() - 1);
}

/// Sound is read and turned into frames without tensors and data sets, and only where it is asked for.
#[test]
fn sound_stands_alone() {
    let all = packages("--package taper-audio --edges normal,build --all-features");
    let own: Vec<&String> = all.iter().filter(|name| name.starts_with("taper")).collect();
    assert_eq!(own, ["taper-audio", "taper-backend"]);
    for plain in ["--package taper-ml", "--package taper-cli --no-default-features"] {
        let plain = packages(&format!("{plain} --edges normal,build"));
        assert!(!plain.iter().any(|name| name == "taper-audio"), "{plain:?}");
    }
    let bare = packages("--package taper-audio --edges normal,build");
    assert!(!bare.iter().any(|name| name.starts_with("symphonia") || name == "rubato"), "{bare:?}");
}

/// Charts, pages and event files are of plain numbers, for any loop; so are tables of settings.
#[test]
fn reports_and_settings_know_nothing_of_networks() {
    for alone in ["taper-report", "taper-config"] {
        let all = packages(&format!("--package {alone} --edges normal,build"));
        assert_eq!(all.iter().filter(|name| name.starts_with("taper")).collect::<Vec<_>>(), [alone]);
    }
}

#[test]
fn xtask_depends_on_nothing() {
    assert_eq!(packages("--package xtask --edges all"), ["xtask"]);
}
