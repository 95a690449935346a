//! Which pictures there are: a folder's splits, classes and files, without their content.

use super::SkippedFile;
use crate::formats::MOST_CLASSES;
use crate::formats::folders::{class_folders, is_hidden, pictures_in};
use crate::formats::text::{listed, same};
use crate::{Error, Result};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The names of the folders that hold a split each.
const TRAIN: &str = "train";
const VALIDATION: [&str; 3] = ["val", "valid", "validation"];
const TEST: &str = "test";

/// The folders of the splits. Each holds a folder for each class.
pub(super) struct Layout {
    pub train: PathBuf,
    pub validation: Option<PathBuf>,
    pub test: Option<PathBuf>,
}

impl Layout {
    /// The splits in `dir` if it holds folders of folders with the names of splits, otherwise `dir` itself. A folder `train`
    /// that holds pictures is a class of that name.
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
            let detail = format!("expected one folder of validation pictures, found {} too", first.display());
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

/// The pictures of one split by name.
pub(super) struct Listing {
    /// The names of the classes, in the order of their labels.
    pub classes: Arc<[String]>,
    /// The folders of pictures, and the label of each.
    pub folders: Vec<(PathBuf, i64)>,
    /// The pictures in the order of their folders, then of their names.
    pub pictures: Vec<Picture>,
}

/// A picture: the place of its folder in [`Listing::folders`], and the file's name in it.
pub(super) struct Picture {
    pub folder: u32,
    pub name: Box<OsStr>,
}

impl Listing {
    /// Lists the pictures `DIR/CLASS/*`. `classes` are those of the training pictures, for the other splits. With `skip`,
    /// files beside the folders are added to `skipped`.
    pub fn read(
        dir: &Path,
        classes: Option<&Arc<[String]>>,
        skip: bool,
        skipped: &mut Vec<SkippedFile>,
    ) -> Result<Self> {
        let found = class_folders(dir, &mut |path| {
            let reason = "expected one folder a class here, found a file".to_string();
            if skip {
                skipped.push(SkippedFile { path, reason });
                return Ok(());
            }
            Err(Error::format(&path, "folder", reason))
        })?;
        let classes: Arc<[String]> = match classes {
            Some(classes) => classes.clone(),
            None => found.iter().map(|(name, _)| name.clone()).collect(),
        };
        if found.is_empty() || classes.len() < 2 || classes.len() as i64 > MOST_CLASSES {
            let names = if classes.len() == 1 { format!(" (`{}`)", classes[0]) } else { String::new() };
            let detail = format!("expected 2 to {MOST_CLASSES} folders, one a class, found {}{names}", found.len());
            return Err(Error::format(dir, "classes", detail));
        }
        let (mut folders, mut pictures) = (Vec::new(), Vec::new());
        for (name, folder) in found {
            let Some(label) = classes.iter().position(|class| same(class, &name)) else {
                let known = listed(&classes);
                return Err(Error::format(&folder, "class", format!("expected one of the training set's: {known}")));
            };
            let files = pictures_in(&folder)?;
            if files.is_empty() {
                return Err(Error::format(&folder, "class", "expected a picture or more, found none"));
            }
            let place = folders.len() as u32; // at most MOST_CLASSES
            pictures.extend(files.into_iter().map(|(name, _)| Picture { folder: place, name: name.into() }));
            folders.push((folder, label as i64));
        }
        Ok(Self { classes, folders, pictures })
    }

    /// The path of the picture at `place`.
    pub fn path(&self, place: usize) -> PathBuf {
        let picture = &self.pictures[place];
        self.folders[picture.folder as usize].0.join(&*picture.name)
    }

    /// The label of the picture at `place`.
    pub fn label(&self, place: usize) -> i64 {
        self.folders[self.pictures[place].folder as usize].1
    }
}
