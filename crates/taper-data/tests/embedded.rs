//! The crate carries a copy of the repository's `datasets/`, since a published crate cannot reach outside its folder.
//! In the repository, the copy must be the same; in the published crate there is nothing to compare with, and the
//! checksums in the manifests are still checked.

use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use taper_data::{Manifest, Source};

/// The plain files in `folder`, hidden ones left out, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|p| p.is_file() && !p.file_name().unwrap().to_string_lossy().starts_with('.')).collect();
    files.sort();
    files
}

#[test]
fn the_copy_is_the_repositorys() {
    let (copy, original) = (PathBuf::from("datasets"), PathBuf::from("../../datasets"));
    // Outside the repository (a published crate), the copy is all there is.
    let in_repository = Path::new("../../crates/taper-data/Cargo.toml").is_file();
    let original = if in_repository { original } else { copy.clone() };
    let names = |files: &[PathBuf]| files.iter().map(|p| p.file_name().unwrap().to_owned()).collect::<Vec<_>>();
    let (copied, originals) = (files(&copy), files(&original));
    assert_eq!(names(&copied), names(&originals), "copy datasets/* to crates/taper-data/datasets/");
    assert!(copied.len() >= 4, "{copied:?}");
    for (copied, original) in copied.iter().zip(&originals) {
        let same = fs::read(copied).unwrap() == fs::read(original).unwrap();
        assert!(same, "{} differs: copy datasets/* to crates/taper-data/datasets/", original.display());
    }
}

#[test]
fn every_manifest_is_known_and_embedded_files_match_theirs() {
    let folder = Path::new("datasets");
    let mut names = Vec::new();
    for path in files(folder).into_iter().filter(|p| p.extension().is_some_and(|e| e == "toml")) {
        let manifest = Manifest::parse(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(path.file_stem().unwrap().to_string_lossy(), manifest.name);
        assert_eq!(Source::named(&manifest.name).unwrap().manifest().unwrap(), manifest);
        if let Some(embedded) = &manifest.embedded {
            let bytes = fs::read(folder.join(&embedded.file)).unwrap();
            let found: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!((bytes.len() as u64, &found), (embedded.bytes, &embedded.sha256));
        }
        names.push(manifest.name);
    }
    names.sort();
    assert_eq!(names, Source::names());
}
