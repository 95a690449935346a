//! Image folders, with a folder for each class: `DIR/train/CLASS/*.png` and `DIR/test/CLASS/*.png`, as PNG, JPEG or
//! WebP.

use super::MOST_CLASSES;
use super::classes::{class_folders, files_in};
use super::picture::{DecodedImage, MOST_PIXELS};
use super::text::{listed, same};
use crate::{Error, ImageDataset, Result, Splits};
use std::path::Path;
use taper_backend::files;

/// The channels and the size that images are converted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderOptions {
    /// The number of channels: 3 for red, green and blue, 1 for grey, 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), as
    /// Pillow's `convert("L")`. An alpha channel is dropped.
    pub channels: usize,
    /// The height and width that images are resized to, without keeping their aspect ratio, by a triangle filter
    /// (Pillow's `BILINEAR`); at most 2²⁶ pixels. With `None` all images must have the same size.
    pub size: Option<[usize; 2]>,
}

impl Default for FolderOptions {
    fn default() -> Self {
        Self { channels: 3, size: None }
    }
}

/// Reads the training split `DIR/train/CLASS/*` and the test split `DIR/test/CLASS/*`, each as [`read_image_folder`].
/// The classes are those of `train`, and all images of both splits have one shape. Memory: as [`read_image_folder`].
///
/// # Errors
/// As [`read_image_folder`], and when `test` has a class that `train` lacks.
pub fn read_image_folders(dir: impl AsRef<Path>, options: FolderOptions) -> Result<Splits> {
    let dir = dir.as_ref();
    let train = read(&dir.join("train"), options, None)?;
    let [_, height, width] = train.shape();
    let test = read(&dir.join("test"), options, Some((train.classes(), [height, width])))?;
    Ok(Splits { train, test })
}

/// Reads the images `DIR/CLASS/*`, as torchvision's `ImageFolder`: each class is a folder with its name. Labels
/// follow the order of the classes' names by characters, and the images of a class are in the order of their file
/// names. Files and folders whose names begin with a dot are ignored. The format (PNG, JPEG or WebP) is recognised by
/// a file's content, not its name. [`ImageDataset::split_off`] makes a held-out split from one folder.
///
/// Images are rotated upright by EXIF's orientation. Class names are compared in Unicode normalisation form C, since
/// file systems store names such as `é` in different forms.
///
/// A truncated image is an error in every format. Changed bytes are an error in PNG; JPEG and WebP have no checksum
/// that would reveal them.
///
/// Memory: that of all images, and for the image that is being read its file and at most 1 GiB.
///
/// # Errors
/// When a folder cannot be read, has no classes or more than 65,536, or has a class name that is no Unicode; when a class
/// has no images; when a file is damaged, truncated, no PNG, JPEG or WebP, or of another size than the first image
/// while `size` is `None`; when an image would take more than 1 GiB of memory to decode and resize. The text names
/// the file.
pub fn read_image_folder(dir: impl AsRef<Path>, options: FolderOptions) -> Result<ImageDataset> {
    read(dir.as_ref(), options, None)
}

/// As [`read_image_folder`], with the classes and the size (height, width) of the training split if they are known.
fn read(dir: &Path, options: FolderOptions, known: Option<(&[String], [usize; 2])>) -> Result<ImageDataset> {
    options.check()?;
    let found = class_folders(dir, &mut |path| {
        Err(Error::format(&path, "folder", "expected one folder a class here, found a file"))
    })?;
    let classes =
        known.map_or_else(|| found.iter().map(|(name, _)| name.clone()).collect(), |(names, _)| names.to_vec());
    if found.is_empty() || classes.len() as i64 > MOST_CLASSES {
        let count = classes.len();
        return Err(Error::format(
            dir,
            "classes",
            format!("expected 1 to {MOST_CLASSES} folders, one a class, found {count}"),
        ));
    }
    let (mut images, mut labels, mut size) = (Vec::new(), Vec::new(), options.size.or(known.map(|(_, size)| size)));
    for (name, folder) in found {
        let Some(class) = classes.iter().position(|class| same(class, &name)) else {
            let known = listed(&classes);
            return Err(Error::format(&folder, "class", format!("expected one of the training set's: {known}")));
        };
        let files = files_in(&folder, "pictures")?;
        if files.is_empty() {
            return Err(Error::format(&folder, "class", "expected a picture or more, found none"));
        }
        for (_, path) in files {
            let bytes = files::read(&path).map_err(Error::io("read", &path))?;
            let picture = DecodedImage::decode(&bytes, &path, options.size)?;
            drop(bytes);
            let [height, width] = *size.get_or_insert(picture.size());
            picture.append([height, width], options, &path, &mut images)?;
            labels.push(class as i64);
        }
    }
    let [height, width] = size.unwrap_or_default();
    ImageDataset::new(images, labels, [options.channels, height, width], classes, u8::MAX)
}

impl FolderOptions {
    /// Checks that the options are in range.
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
