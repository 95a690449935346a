//! `fmt`: formats every Rust file with rustfmt. `cargo fmt` follows `mod` declarations and so misses the modules that a
//! macro declares, as those of operations, layers and metrics.

use crate::cargo::{root, run as start};
use std::ffi::OsString;
use std::io::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folders with Rust files.
const FOLDERS: [&str; 4] = ["crates", "fuzz", "tests", "xtask"];
/// The most files per call of rustfmt, since the length of a command line is limited.
const FILES: usize = 200;

/// Formats every file. With `--check` in `rest` it prints what would change instead, and fails if anything would.
pub fn run(rest: &[OsString]) -> Result<u8> {
    let root = root()?;
    let mut files = Vec::new();
    for folder in FOLDERS.map(|name| root.join(name)).iter().filter(|folder| folder.is_dir()) {
        rust_files(folder, &mut files)?;
    }
    format(&root, &files, rest)
}

/// Calls rustfmt with `arguments` on `files` in `root`, whose `rustfmt.toml` applies, and returns the highest exit
/// code.
fn format(root: &Path, files: &[PathBuf], arguments: &[OsString]) -> Result<u8> {
    let mut worst = 0;
    for files in files.chunks(FILES) {
        let mut rustfmt = Command::new(std::env::var_os("RUSTFMT").unwrap_or_else(|| "rustfmt".into()));
        rustfmt.args(arguments).args(files).current_dir(root);
        worst = worst.max(start(&mut rustfmt)?);
    }
    Ok(worst)
}

/// Adds the `.rs` files in and below `folder` to `found`, sorted by name; folders called `target` are skipped.
fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let mut entries = std::fs::read_dir(folder)?.collect::<Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if entry.file_name() != "target" {
                rust_files(&path, found)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_that_a_macro_declares_are_among_the_files() -> Result<()> {
        let root = root()?;
        let mut files = Vec::new();
        rust_files(&root.join("crates"), &mut files)?;
        for file in ["taper-tensor/src/ops/abs.rs", "taper-nn/src/losses/mse.rs", "taper-cpu/src/lib.rs"] {
            assert!(files.contains(&root.join("crates").join(file)), "{file}");
        }
        Ok(())
    }

    #[test]
    fn a_check_fails_on_another_form_and_changes_nothing() -> Result<()> {
        let folder = std::env::temp_dir().join(format!("xtask-fmt-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("target"))?;
        std::fs::write(folder.join("target/not_ours.rs"), "fn  a(){}")?;
        std::fs::write(folder.join("a.rs"), "fn  a(){}\n")?;
        let mut files = Vec::new();
        rust_files(&folder, &mut files)?;
        let check = ["--check".into()];
        let before = (format(&folder, &files, &check)?, std::fs::read_to_string(folder.join("a.rs"))?);
        let formatted = format(&folder, &files, &[])?;
        let after = (format(&folder, &files, &check)?, std::fs::read_to_string(folder.join("a.rs"))?);
        std::fs::remove_dir_all(&folder)?;
        assert_eq!(files, [folder.join("a.rs")]);
        assert_eq!((before, formatted), ((1, "fn  a(){}\n".to_string()), 0));
        assert_eq!(after, (0, "fn a() {}\n".to_string()));
        Ok(())
    }
}
