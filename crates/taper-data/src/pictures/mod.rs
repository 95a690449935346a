//! Pictures in folders as a data set: each is decoded when a batch asks for it, so that memory does not grow with their
//! number.

mod check;
mod listing;

use crate::formats::folders::FolderOptions;
use crate::formats::picture::DecodedImage;
use crate::{Batch, Dataset, FieldSpec};
use crate::{Error, Result, split};
use listing::Listing;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use taper_backend::{DType, files};

/// How pictures become samples of one shape, and what happens to those that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureOptions {
    /// The height and width of the samples, from 8 to 1024. A picture's shorter side becomes `size`, by a triangle filter
    /// (Pillow's `BILINEAR`), and what is longer is cropped equally at both ends, as torchvision's `Resize` and
    /// `CenterCrop` do.
    pub size: usize,
    /// Whether files that do not decode are left out and listed in [`PictureSplits::skipped`]. To find them, every picture
    /// is decoded once at the start. Without it, each file's first bytes are looked at, so that an empty file or one of
    /// another format is an error at the start; a picture that is damaged further on is an error of the batch that asks
    /// for it, or of [`PictureFolder::check`].
    pub skip_bad: bool,
}

impl Default for PictureOptions {
    fn default() -> Self {
        Self { size: 224, skip_bad: false }
    }
}

impl PictureOptions {
    fn check(&self) -> Result<()> {
        if (8..=1024).contains(&self.size) {
            return Ok(());
        }
        Err(Error::Argument(format!("picture folders: size: expected 8 to 1024 pixels, found {}", self.size)))
    }
}

/// The pictures of one split, each in the folder of its class. In memory are only their names and labels.
///
/// The fields of a batch are `inputs`, u8 `[N, 3, size, size]`, of which 255 stands for 1 (grey pictures have three equal
/// channels, an alpha channel is dropped), and `labels`, i64 `[N]`. Pictures stand upright as the camera says (EXIF).
///
/// Memory: about 50 bytes and its name for each picture; while a batch is filled, one picture's file and at most 1 GiB to
/// decode it.
#[derive(Clone)]
pub struct PictureFolder {
    listing: Arc<Listing>,
    /// The places in the listing of the pictures that are part of this set.
    places: Vec<usize>,
    options: PictureOptions,
}

/// The splits of a folder of pictures.
#[derive(Debug, Clone)]
pub struct PictureSplits {
    /// The pictures to learn from: those of `DIR/train`, or all.
    pub train: PictureFolder,
    /// The pictures of `DIR/val`, `DIR/valid` or `DIR/validation`.
    pub validation: Option<PictureFolder>,
    /// The pictures of `DIR/test`.
    pub test: Option<PictureFolder>,
    /// With [`PictureOptions::skip_bad`], the files that are left out, in the order of their paths.
    pub skipped: Vec<SkippedFile>,
    checksum: String,
}

/// A file that is left out of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedFile {
    /// The file.
    pub path: PathBuf,
    /// Why it is left out.
    pub reason: String,
}

impl PictureSplits {
    /// Finds the pictures in `dir`: a folder for each class, `DIR/CLASS/*`, or such folders for each split,
    /// `DIR/{train,val,test}/CLASS/*`, of which `val` (also `valid` or `validation`) and `test` may be missing. The format,
    /// PNG, JPEG or WebP, is recognised by a file's content. Names that begin with a dot are ignored.
    ///
    /// Labels follow the order of the class names of the training pictures by characters. Class names are compared in Unicode
    /// normalisation form C.
    ///
    /// ```no_run
    /// use taper_data::{PictureOptions, PictureSplits};
    ///
    /// # fn main() -> taper_data::Result<()> {
    /// let found = PictureSplits::open("flowers", PictureOptions { size: 128, skip_bad: true })?;
    /// let (train, held_out) = found.train.split_off(0.1, 0)?; // a tenth of every class, drawn with seed 0
    /// println!("{} pictures of {:?}, {} held out", train.len(), train.classes(), held_out.len());
    /// for file in &found.skipped {
    ///     println!("left out: {}: {}", file.path.display(), file.reason);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the size is out of range, a folder cannot be read, holds no class or one class alone, or more than 65,536; a
    /// class's name is no Unicode, or the same as another's in another normalisation form; a class has no pictures, or, in
    /// another split, is none of the training pictures'; there is a folder among pictures, or a file among folders or one that
    /// is no picture (with `skip_bad`, such files are listed instead). The text names the file or folder.
    pub fn open(dir: impl AsRef<Path>, options: PictureOptions) -> Result<Self> {
        options.check()?;
        let layout = crate::formats::classes::Layout::find(dir.as_ref())?;
        let mut skipped = Vec::new();
        let mut digest = check::Digest::default();
        let mut read = |folder: &Path, classes: Option<&Arc<[String]>>| {
            let listing = Arc::new(Listing::read(folder, classes, options.skip_bad, &mut skipped)?);
            let all = PictureFolder { places: (0..listing.pictures.len()).collect(), listing, options };
            all.looked_at(&mut digest, &mut skipped)
        };
        let train = read(&layout.train, None)?;
        let classes = train.listing.classes.clone();
        let mut other =
            |folder: &Option<PathBuf>| folder.as_ref().map(|folder| read(folder, Some(&classes))).transpose();
        let (validation, test) = (other(&layout.validation)?, other(&layout.test)?);
        Ok(Self { train, validation, test, skipped, checksum: digest.finish() })
    }

    /// A SHA-256, in hexadecimal, that a run records to identify the data that it used: of the names of classes and files, and
    /// of each file's length and its first and last 4 KiB. Whole files are not read for it, which would take minutes for the
    /// sets that are streamed because they are large. The time of a file's last change does not count.
    pub fn checksum(&self) -> &str {
        &self.checksum
    }
}

impl PictureFolder {
    /// The number of pictures.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is no picture.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The names of the classes, in the order of their labels.
    pub fn classes(&self) -> &[String] {
        &self.listing.classes
    }

    /// The label of each picture, `[N]`.
    pub fn labels(&self) -> Vec<i64> {
        self.places.iter().map(|&place| self.listing.label(place)).collect()
    }

    /// The path of picture `index`, or `None` past the end.
    pub fn path(&self, index: usize) -> Option<PathBuf> {
        Some(self.listing.path(*self.places.get(index)?))
    }

    /// The set of the pictures at `indices`, in that order.
    ///
    /// # Errors
    /// When an index is past the end.
    pub fn subset(&self, indices: &[usize]) -> Result<Self> {
        let place = |&index: &usize| {
            self.places.get(index).copied().ok_or_else(|| {
                Error::Argument(format!("subset: index {index} is past the end: there are {} pictures", self.len()))
            })
        };
        Ok(Self { places: indices.iter().map(place).collect::<Result<_>>()?, ..self.clone() })
    }

    /// Splits into a training split and a held-out split, which has `fraction` of the pictures of every class, drawn with
    /// `seed`: see [`split()`].
    ///
    /// # Errors
    /// When `fraction` is not at least 0 and below 1.
    pub fn split_off(&self, fraction: f64, seed: u64) -> Result<(Self, Self)> {
        let (train, held_out) = split(&self.labels(), fraction, seed)?;
        Ok((self.subset(&train)?, self.subset(&held_out)?))
    }

    /// Writes picture `index` as planes `[3, size, size]`.
    fn read(&self, index: usize, planes: &mut [u8]) -> Result<()> {
        let place = self.places.get(index).copied();
        let place = place.ok_or_else(|| Error::Argument(format!("pictures: there is no picture {index}")))?;
        decode(&self.listing.path(place), [3, self.options.size, self.options.size], planes)
    }
}

/// The picture in `bytes`, the content of a PNG, JPEG or WebP file, as planes of bytes of `shape` `[C, H, W]`, such as a model was
/// trained on: C is 3 for red, green and blue or 1 for grey, and H and W are 1 to 4096. As in a [`PictureFolder`], the picture
/// stands upright, it is resized to cover H × W, and what is more is cropped equally at both ends. `name` stands for its path in
/// errors.
///
/// # Errors
/// When the shape is out of range, or the bytes are no picture, or a damaged one.
pub fn decode_picture(bytes: &[u8], name: impl AsRef<Path>, shape: [usize; 3]) -> Result<Vec<u8>> {
    let [channels, height, width] = shape;
    if !matches!(channels, 1 | 3) || !(1..=4096).contains(&height) || !(1..=4096).contains(&width) {
        return Err(Error::Argument(format!(
            "picture: shape: expected [1 or 3, 1 to 4096, 1 to 4096], found {shape:?}"
        )));
    }
    let mut planes = vec![0; channels * height * width];
    DecodedImage::decode(bytes, name.as_ref(), Some([height, width]))?.middle(shape, name.as_ref(), &mut planes)?;
    Ok(planes)
}

/// The whole picture in `bytes`, as [`decode_picture`] reads them, stretched to `size`, height and width of 1 to 4096, as planes
/// `[3, H, W]`; and its own height and width.
///
/// # Errors
/// As [`decode_picture`].
pub fn stretch_picture(bytes: &[u8], name: impl AsRef<Path>, size: [usize; 2]) -> Result<(Vec<u8>, [usize; 2])> {
    if !size.iter().all(|side| (1..=4096).contains(side)) {
        return Err(Error::Argument(format!("picture: size: expected 1 to 4096 pixels, found {size:?}")));
    }
    let picture = DecodedImage::decode(bytes, name.as_ref(), Some(size))?;
    let (own, mut planes) = (picture.size(), Vec::new());
    picture.append(size, FolderOptions { channels: 3, size: Some(size) }, name.as_ref(), &mut planes)?;
    Ok((planes, own))
}

fn decode(path: &Path, shape: [usize; 3], planes: &mut [u8]) -> Result<()> {
    let bytes = files::read(path).map_err(Error::io("read", path))?;
    let picture = DecodedImage::decode(&bytes, path, Some([shape[1], shape[2]]))?;
    drop(bytes);
    picture.middle(shape, path, planes)
}

/// Writes the number of pictures and of classes, without names.
impl fmt::Debug for PictureFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.options.size;
        write!(f, "PictureFolder({} pictures [3, {size}, {size}], {} classes)", self.len(), self.classes().len())
    }
}

impl Dataset for PictureFolder {
    fn len(&self) -> usize {
        self.len()
    }

    fn fields(&self) -> Vec<FieldSpec> {
        let size = self.options.size;
        vec![FieldSpec::new("inputs", DType::U8, &[3, size, size]), FieldSpec::new("labels", DType::I64, &[])]
    }

    fn fill(&self, _epoch: u64, indices: &[usize], batch: &mut Batch) -> Result<()> {
        let (n, size) = (indices.len(), self.options.size);
        let planes = batch.u8_of("inputs", &[n, 3, size, size], u8::MAX);
        for (planes, &index) in planes.chunks_exact_mut(3 * size * size).zip(indices) {
            self.read(index, planes)?;
        }
        for (label, &index) in batch.i64("labels", &[n]).iter_mut().zip(indices) {
            *label = self.listing.label(self.places[index]);
        }
        Ok(())
    }
}
