//! Pictures in folders named by class, `DIR/train/CLASS/*.png` and `DIR/test/CLASS/*.png`: PNG, JPEG or WebP.

use crate::{Error, ImageDataset, Result, Splits};
use image::imageops::{FilterType, resize};
use image::{DynamicImage, ImageFormat, ImageReader, RgbImage};
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use taper_backend::files;

/// What pictures become when they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderOptions {
    /// 3 for red, green and blue, 1 for grey: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), as Pillow's `convert("L")`.
    /// Transparency is left out.
    pub channels: usize,
    /// Height and width that pictures are scaled to, whatever their proportions, by triangle filtering (Pillow's
    /// `BILINEAR`). `None` requires that all have the same.
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
/// # Errors
/// A folder that cannot be read or has no classes, or more than 256; a class without pictures; a file that is
/// damaged, no PNG, JPEG or WebP, or of another size than the first where none is given: the text names it.
pub fn read_image_folder(dir: impl AsRef<Path>, options: FolderOptions) -> Result<ImageDataset> {
    read(dir.as_ref(), options, None)
}

/// As [`read_image_folder`], with the classes and the size of a training set where there is one.
fn read(dir: &Path, options: FolderOptions, known: Option<(&[String], [usize; 2])>) -> Result<ImageDataset> {
    if !matches!(options.channels, 1 | 3) || options.size.is_some_and(|size| size.contains(&0)) {
        let FolderOptions { channels, size } = options;
        return Err(Error::Argument(format!(
            "image folders: expected 1 or 3 channels and a size of 1 or more, found {channels} channels, size {size:?}"
        )));
    }
    let found = entries(dir, true)?;
    let classes =
        known.map_or_else(|| found.iter().map(|(name, _)| name.clone()).collect(), |(names, _)| names.to_vec());
    if found.is_empty() || classes.len() > 256 {
        let count = classes.len();
        return Err(Error::format(dir, "classes", format!("expected 1 to 256 folders, one a class, found {count}")));
    }
    let (mut images, mut labels, mut size) = (Vec::new(), Vec::new(), options.size.or(known.map(|(_, size)| size)));
    for (name, folder) in found {
        let Some(class) = classes.iter().position(|class| *class == name) else {
            let known = classes.join("`, `");
            return Err(Error::format(&folder, "class", format!("expected one of the training set's: `{known}`")));
        };
        let files = entries(&folder, false)?;
        if files.is_empty() {
            return Err(Error::format(&folder, "class", "expected a picture or more, found none"));
        }
        for (_, path) in files {
            let picture = decode(&path)?;
            let [height, width] = *size.get_or_insert([picture.height() as usize, picture.width() as usize]);
            push(picture, [height, width], options, &path, &mut images)?;
            // At most 256 classes: checked above.
            labels.push(class as u8);
        }
    }
    let [height, width] = size.unwrap_or_default();
    ImageDataset::new(images, labels, [options.channels, height, width], classes, u8::MAX)
}

/// The folders in `dir`, or its files, with their names and sorted by these. Anything else is an error; names that
/// begin with a dot are left out.
fn entries(dir: &Path, folders: bool) -> Result<Vec<(String, PathBuf)>> {
    let expected = if folders { "one folder a class" } else { "pictures" };
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io("read the folder", dir))? {
        let path = entry.map_err(Error::io("read the folder", dir))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
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

/// The picture in the file at `path`.
fn decode(path: &Path) -> Result<DynamicImage> {
    let bytes = files::read(path).map_err(Error::io("read", path))?;
    let expected = |found: String| Error::format(path, "picture", format!("expected PNG, JPEG or WebP, found {found}"));
    let reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| expected(error.to_string()))?;
    match reader.format() {
        Some(ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP) => {}
        Some(other) => return Err(expected(format!("{other:?}"))),
        None => return Err(expected("something else".into())),
    }
    reader.decode().map_err(|error| Error::format(path, "picture", format!("damaged: {error}")))
}

/// Appends the planes of `picture`, scaled to `size` where the options say so, to `images`.
fn push(
    picture: DynamicImage,
    size: [usize; 2],
    options: FolderOptions,
    path: &Path,
    images: &mut Vec<u8>,
) -> Result<()> {
    let found = [picture.height() as usize, picture.width() as usize];
    let [height, width] = size;
    let grey = !picture.color().has_color();
    let mut rgb: RgbImage = picture.into_rgb8();
    if found != size {
        let (Some(_), Ok(h), Ok(w)) = (options.size, u32::try_from(height), u32::try_from(width)) else {
            let detail =
                format!("expected height and width {size:?} as before, found {found:?}; give a size to scale to");
            return Err(Error::format(path, "picture", detail));
        };
        rgb = resize(&rgb, w, h, FilterType::Triangle);
    }
    if options.channels == 3 {
        (0..3).for_each(|channel| images.extend(rgb.pixels().map(|pixel| pixel.0[channel])));
    } else {
        images.extend(rgb.pixels().map(|pixel| if grey { pixel.0[0] } else { luma(pixel.0) }));
    }
    Ok(())
}

/// Grey of a colour in Pillow's fixed point.
fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b) + 0x8000) >> 16) as u8
}
