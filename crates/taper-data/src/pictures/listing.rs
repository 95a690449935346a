//! Which pictures there are: the classes and files of a split's folder, without their content.

use super::SkippedFile;
use crate::formats::MOST_CLASSES;
use crate::formats::classes::{class_folders, files_in};
use crate::formats::text::{listed, same};
use crate::{Error, Result};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
            let files = files_in(&folder, "pictures")?;
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
