//! Folders of one's own with a folder for each class, and perhaps for each split: `DIR/CLASS/*`, or `DIR/train/CLASS/*` and
//! `DIR/test/CLASS/*`.

use super::text::normal;
use crate::{Error, Result};
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

/// The names of the folders that hold a split each.
const TRAIN: &str = "train";
const VALIDATION: [&str; 3] = ["val", "valid", "validation"];
const TEST: &str = "test";

/// The folders of the splits. Each holds a folder for each class.
pub(crate) struct Layout {
    pub train: PathBuf,
    pub validation: Option<PathBuf>,
    pub test: Option<PathBuf>,
}

impl Layout {
    /// The splits in `dir` if it holds folders of folders with the names of splits, otherwise `dir` itself. A folder `train`
    /// that holds files alone is a class of that name.
    pub fn find(dir: &Path) -> Result<Self> {
        let inside = |name: &str| {
            let folder = dir.join(name);
            holds_folders(&folder).then_some(folder)
        };
        let validation: Vec<PathBuf> = VALIDATION.iter().filter_map(|name| inside(name)).collect();
        let (train, test) = (inside(TRAIN), inside(TEST));
        if train.is_none() && test.is_none() && validation.is_empty() {
            return Ok(Self { train: dir.to_path_buf(), validation: None, test: None });
        }
        let Some(train) = train else {
            let found = test.iter().chain(&validation).next().cloned().unwrap_or_default();
            let detail = "expected folders of classes in a folder `train` beside this one, found none";
            return Err(Error::format(&found, "splits", detail));
        };
        if let [first, second, ..] = &validation[..] {
            let detail = format!("expected one folder to validate on, found {} too", first.display());
            return Err(Error::format(second, "splits", detail));
        }
        for entry in fs::read_dir(dir).map_err(Error::io("read the folder", dir))? {
            let entry = entry.map_err(Error::io("read the folder", dir))?;
            let name = entry.file_name();
            let known = [TRAIN, TEST].iter().chain(&VALIDATION).any(|known| name == **known);
            if !known && !is_hidden(&name) && entry.path().is_dir() {
                let detail = "expected `train`, `val` (or `valid`, `validation`) and `test` alone beside `train`, found this folder";
                return Err(Error::format(&entry.path(), "splits", detail));
            }
        }
        Ok(Self { train, validation: validation.into_iter().next(), test })
    }
}

/// Whether `dir` is a folder that holds a folder.
fn holds_folders(dir: &Path) -> bool {
    let Ok(entries) = fs::read_dir(dir) else { return false };
    entries.flatten().any(|entry| !is_hidden(&entry.file_name()) && entry.path().is_dir())
}

/// The folders in `dir`, one for each class, sorted by class name: pairs of class name and path. `stray` is called for
/// each file among them.
pub(crate) fn class_folders(
    dir: &Path,
    stray: &mut dyn FnMut(PathBuf) -> Result<()>,
) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::<(String, PathBuf)>::new();
    let mut texts = HashMap::new();
    for (name, path) in visible(dir)? {
        if !path.is_dir() {
            stray(path)?;
            continue;
        }
        // A lossy conversion could make two different names equal, and merge two classes.
        let name = name.into_string().map_err(|name| {
            let detail = format!("expected a class's name in UTF-8, found {:?}; give the folder another name", name);
            Error::format(dir, "classes", detail)
        })?;
        if let Some(other) = texts.insert(normal(&name).into_owned(), path.clone()) {
            let detail = format!(
                "is the same name as that of {}, in another Unicode normalisation form; put the files of both into \
                 one folder",
                other.display()
            );
            return Err(Error::format(&path, "class", detail));
        }
        found.push((name, path));
    }
    found.sort();
    Ok(found)
}

/// The files in the class's folder `dir`, which are `what`, sorted by name: pairs of name and path. A folder among them is an
/// error.
pub(crate) fn files_in(dir: &Path, what: &str) -> Result<Vec<(OsString, PathBuf)>> {
    let found = visible(dir)?;
    match found.iter().find(|(_, path)| path.is_dir()) {
        Some((_, path)) => Err(Error::format(path, "folder", format!("expected {what} here, found a folder"))),
        None => Ok(found),
    }
}

/// The files and folders in `dir` whose names do not begin with a dot, sorted by name: pairs of name and path.
pub(crate) fn visible(dir: &Path) -> Result<Vec<(OsString, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io("read the folder", dir))? {
        let entry = entry.map_err(Error::io("read the folder", dir))?;
        if !is_hidden(&entry.file_name()) {
            found.push((entry.file_name(), entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a file or folder of this name is ignored.
fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}
