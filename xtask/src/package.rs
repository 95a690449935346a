//! `package`: makes the archives of all packages that are published, in the order of their dependencies, as `cargo publish`
//! would upload them.

use crate::cargo::{cargo, root, run as start};
use std::ffi::OsString;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};

/// The folder whose packages are published. The others of the workspace serve it alone.
const FOLDER: &str = "crates";

/// Makes the archives. `rest` goes to `cargo package`: without `--no-verify` each package is built from its archive.
///
/// # Errors
/// If a manifest cannot be read or cargo cannot be started.
pub fn run(rest: &[OsString]) -> Result<u8> {
    let root = root()?;
    let mut package = cargo();
    // cargo finds the order itself.
    package.args(["package", "--locked"]);
    for manifest in manifests(&root)? {
        package.args(["--package", &name(&manifest)?]);
    }
    start(package.args(rest).current_dir(root))
}

/// The manifests of the packages that are published, by folder.
fn manifests(root: &Path) -> Result<Vec<PathBuf>> {
    let folders = std::fs::read_dir(root.join(FOLDER))?.collect::<Result<Vec<_>>>()?;
    let mut manifests: Vec<PathBuf> = folders.iter().map(|folder| folder.path().join("Cargo.toml")).collect();
    manifests.retain(|manifest| manifest.is_file());
    manifests.sort();
    Ok(manifests)
}

/// The name of a package: the first in its manifest.
fn name(manifest: &Path) -> Result<String> {
    let text = std::fs::read_to_string(manifest)?;
    let name =
        text.lines().find_map(|line| line.strip_prefix("name = ")).map(|name| name.trim_matches('"').to_string());
    name.ok_or_else(|| Error::other(format!("no name in {}", manifest.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Component;

    /// A published package stands alone: what is missing here is found by `cargo package` only after minutes, or by nobody.
    #[test]
    fn every_package_says_what_the_registry_asks_for() {
        let root = root().unwrap();
        let manifests = manifests(&root).unwrap();
        assert!(manifests.len() > 10, "{manifests:?}");
        for manifest in manifests {
            let text = std::fs::read_to_string(&manifest).unwrap();
            for line in [
                "description = \"",
                "license.workspace = true",
                "version.workspace = true",
                "readme = \"README.md\"",
                "keywords = [",
                "categories = [",
                "documentation = \"https://docs.rs/",
            ] {
                assert!(text.lines().any(|found| found.starts_with(line)), "{line} in {}", manifest.display());
            }
            let docs = format!("documentation = \"https://docs.rs/{}\"", name(&manifest).unwrap());
            assert!(text.contains(&docs), "{docs} in {}", manifest.display());
            assert!(!text.contains("publish = false"), "{}", manifest.display());
            // Paths and versions of our own crates are written once, in the workspace's manifest.
            assert!(!text.lines().any(|line| line.contains("path = \"..")), "{}", manifest.display());
            assert!(manifest.with_file_name("README.md").is_file(), "{}", manifest.display());
        }
        let workspace = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
        let version = workspace.lines().find(|line| line.starts_with("version = ")).unwrap();
        let own: Vec<&str> = workspace.lines().filter(|line| line.contains("path = \"crates/")).collect();
        assert!(own.len() > 9 && own.iter().all(|line| line.contains(version)), "{version}: {own:?}");
        assert!(own.iter().any(|line| line.starts_with("taper = { package = \"taper-ml\", ")), "{own:?}");
    }

    #[test]
    fn no_file_of_a_package_lies_outside_it() {
        let root = root().unwrap();
        let mut outside = Vec::new();
        let mut files = 0;
        for manifest in manifests(&root).unwrap() {
            let package = manifest.parent().unwrap();
            let mut folders = vec![package.to_path_buf()];
            while let Some(folder) = folders.pop() {
                for entry in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
                    if entry.is_dir() {
                        folders.push(entry);
                    } else if entry.extension().is_some_and(|extension| extension == "rs" || extension == "md") {
                        files += 1;
                        let text = std::fs::read_to_string(&entry).unwrap();
                        let leaves = |named: &&str| leaves(package, &folder.join(named));
                        outside
                            .extend(named(&text).filter(leaves).map(|named| format!("{}: {named}", entry.display())));
                    }
                }
            }
        }
        assert!(files > 200, "{files}");
        assert_eq!(outside, [""; 0]);
    }

    /// The files that a source or a page names: included, as a module's path, or by a link.
    fn named(text: &str) -> impl Iterator<Item = &str> {
        let before = ["include_str!(\"", "include_bytes!(\"", "include!(\"", "#[path = \"", "](.."];
        before.into_iter().flat_map(move |before| {
            // A link begins with its path.
            let kept = if before.ends_with("..") { 2 } else { 0 };
            text.match_indices(before).filter_map(move |(at, _)| {
                let rest = &text[at + before.len() - kept..];
                rest.find(['"', ')']).map(|end| &rest[..end])
            })
        })
    }

    /// Whether `path` is outside the folder `package`.
    fn leaves(package: &Path, path: &Path) -> bool {
        let mut real = PathBuf::new();
        for part in path.components() {
            match part {
                Component::ParentDir => {
                    real.pop();
                }
                part => real.push(part),
            }
        }
        !real.starts_with(package)
    }

    #[test]
    fn what_lies_outside_is_seen() {
        let package = Path::new("/w/crates/a");
        let of =
            |text: &str| named(text).map(|named| leaves(package, &package.join("src").join(named))).collect::<Vec<_>>();
        assert_eq!(of("include_str!(\"../README.md\") include!(\"../../b/list.rs\")"), [false, true]);
        assert_eq!(of("#[path = \"../../b/tests/c.rs\"]\nmod c; see [d](../../../docs/d.md)"), [true, true]);
        assert_eq!(of("[d](../README.md) [e](https://e) include_bytes!(\"e\")"), [false, false]);
    }
}
