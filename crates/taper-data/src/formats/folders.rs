//! Pictures in folders named by class, `DIR/train/CLASS/*.png` and `DIR/test/CLASS/*.png`: PNG, JPEG or WebP.

use super::picture::{MOST_PIXELS, Picture};
use super::text::{listed, normal, same};
use crate::{Error, ImageDataset, Result, Splits};
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use taper_backend::files;

/// What pictures become when they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderOptions {
    /// 3 for red, green and blue, 1 for grey: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), as Pillow's `convert("L")`.
    /// Transparency is left out.
    pub channels: usize,
    /// Height and width that pictures are scaled to, whatever their proportions, by triangle filtering (Pillow's
    /// `BILINEAR`), at most 2²⁶ pixels. `None` requires that all have the same.
    pub size: Option<[usize; 2]>,
}

impl Default for FolderOptions {
    fn default() -> Self {
        Self { channels: 3, size: None }
    }
}

/// Reads `DIR/train/CLASS/*` and `DIR/test/CLASS/*`; see [`read_image_folder`]. The classes are those of `train`, and
/// all pictures have one shape.
///
/// # Errors
/// As [`read_image_folder`], and for a class of `test` that `train` lacks.
pub fn read_image_folders(dir: impl AsRef<Path>, options: FolderOptions) -> Result<Splits> {
    let dir = dir.as_ref();
    let train = read(&dir.join("train"), options, None)?;
    let [_, height, width] = train.shape();
    let test = read(&dir.join("test"), options, Some((train.classes(), [height, width])))?;
    Ok(Splits { train, test })
}

/// Reads `DIR/CLASS/*`: the pictures of a class are in a folder of its name, and the classes are numbered in the
/// order of their names' characters; pictures are in the order of their files' names. Names that begin with a dot
/// count for nothing. What a picture is, its content tells, not its name. To have a test set from one folder, see
/// [`ImageDataset::split_off`].
///
/// Pictures stand upright: what a camera says of how it was held (EXIF's orientation) is followed. A class's name is
/// the same in either Unicode normalisation form, as some systems store `é` and others do.
///
/// A picture that was cut is an error, in every format. Bytes changed within a PNG are too; JPEG and WebP have no
/// checksum to tell them by.
///
/// Memory: that of all pictures, and for the one that is being read its file and 1 GiB at most.
///
/// # Errors
/// A folder that cannot be read or has no classes, or more than 256, or one whose name is no Unicode; a class without
/// pictures; a file that is damaged or cut, no PNG, JPEG or WebP, or of another size than the first where none is
/// given; a picture that would take more than 1 GiB of memory to read and scale: the text names it.
pub fn read_image_folder(dir: impl AsRef<Path>, options: FolderOptions) -> Result<ImageDataset> {
    read(dir.as_ref(), options, None)
}

/// As [`read_image_folder`], with the classes and the size of a training set where there is one.
fn read(dir: &Path, options: FolderOptions, known: Option<(&[String], [usize; 2])>) -> Result<ImageDataset> {
    options.check()?;
    let found = class_folders(dir)?;
    let classes =
        known.map_or_else(|| found.iter().map(|(name, _)| name.clone()).collect(), |(names, _)| names.to_vec());
    if found.is_empty() || classes.len() > 256 {
        let count = classes.len();
        return Err(Error::format(dir, "classes", format!("expected 1 to 256 folders, one a class, found {count}")));
    }
    let (mut images, mut labels, mut size) = (Vec::new(), Vec::new(), options.size.or(known.map(|(_, size)| size)));
    for (name, folder) in found {
        let Some(class) = classes.iter().position(|class| same(class, &name)) else {
            let known = listed(&classes);
            return Err(Error::format(&folder, "class", format!("expected one of the training set's: {known}")));
        };
        let files = entries(&folder, false)?;
        if files.is_empty() {
            return Err(Error::format(&folder, "class", "expected a picture or more, found none"));
        }
        for (_, path) in files {
            let bytes = files::read(&path).map_err(Error::io("read", &path))?;
            let picture = Picture::decode(&bytes, &path, options.size)?;
            drop(bytes);
            let [height, width] = *size.get_or_insert(picture.size());
            picture.append([height, width], options, &path, &mut images)?;
            // At most 256 classes: checked above.
            labels.push(class as u8);
        }
    }
    let [height, width] = size.unwrap_or_default();
    ImageDataset::new(images, labels, [options.channels, height, width], classes, u8::MAX)
}

/// The folders in `dir`, one a class, with the classes' names and sorted by these.
fn class_folders(dir: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::<(String, PathBuf)>::new();
    let mut texts = HashMap::new();
    for (name, path) in entries(dir, true)? {
        // Names made readable would be alike where the bytes are not: two classes would become one.
        let name = name.into_string().map_err(|name| {
            let detail = format!("expected a class's name in UTF-8, found {:?}; give the folder another name", name);
            Error::format(dir, "classes", detail)
        })?;
        if let Some(other) = texts.insert(normal(&name).into_owned(), path.clone()) {
            let detail = format!(
                "is the same name as that of {}, in another Unicode normalisation form; put the pictures of both into \
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

/// The folders in `dir`, or its files, with their names and sorted by these. Anything else is an error; names that
/// begin with a dot are left out.
fn entries(dir: &Path, folders: bool) -> Result<Vec<(OsString, PathBuf)>> {
    let expected = if folders { "one folder a class" } else { "pictures" };
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io("read the folder", dir))? {
        let entry = entry.map_err(Error::io("read the folder", dir))?;
        let (name, path) = (entry.file_name(), entry.path());
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if path.is_dir() != folders {
            let what = if folders { "a file" } else { "a folder" };
            return Err(Error::format(&path, "folder", format!("expected {expected} here, found {what}")));
        }
        found.push((name, path));
    }
    found.sort();
    Ok(found)
}

impl FolderOptions {
    /// Whether its values are in their ranges.
    pub(crate) fn check(&self) -> Result<()> {
        let pixels = self.size.map_or(Some(1), |[height, width]| height.checked_mul(width));
        if matches!(self.channels, 1 | 3) && pixels.is_some_and(|pixels| (1..=MOST_PIXELS).contains(&pixels)) {
            return Ok(());
        }
        let Self { channels, size } = self;
        Err(Error::Argument(format!(
            "image folders: expected 1 or 3 channels and a size of 1 to {MOST_PIXELS} pixels, found {channels} \
             channels, size {size:?}"
        )))
    }
}
