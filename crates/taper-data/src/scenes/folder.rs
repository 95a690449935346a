//! Folders of annotated pictures, in COCO's format or PASCAL VOC's, and their splits.

use super::{Scenes, voc};
use crate::image::hex;
use crate::{Error, Result};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// The file of annotations in a folder of pictures.
const ANNOTATIONS: &str = "annotations.json";
/// The folder of annotations beside folders of pictures, and what the files in it begin with.
const BESIDE: &str = "annotations";
const INSTANCES: &str = "instances_";
/// How annotated pictures become samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SceneOptions {
    /// The height and width of the samples, from 8 to 1024.
    pub size: usize,
    /// Whether every annotation must have a mask.
    pub masks: bool,
}

/// The splits of a folder of annotated pictures.
#[derive(Debug, Clone)]
pub struct SceneFolder {
    /// The pictures to learn from.
    pub train: Scenes,
    /// The pictures to validate on: the split called `val…` where there is one for the test too.
    pub validation: Option<Scenes>,
    /// The pictures to test on: the split called `test…`, or without one that called `val…`.
    pub test: Option<Scenes>,
    /// Other splits, by name.
    pub others: Vec<(String, Scenes)>,
    pub(super) checksum: String,
}

impl SceneFolder {
    /// The splits in `dir`, in COCO's format: folders of pictures with a file `annotations.json` each, `DIR/SPLIT/annotations.json`, or as COCO
    /// itself is published, `DIR/SPLIT/*.jpg` with `DIR/annotations/instances_SPLIT.json`. A split is known by the begin of its
    /// name: `train`, `val`, `test`, of which `train` must be there; or `dir` itself is one folder of pictures, all to learn from.
    ///
    /// Or in the layout of PASCAL VOC, such as `VOCdevkit/VOC2007`: `JPEGImages/NAME.jpg`, in `ImageSets/Main` the lists `train.txt`
    /// (or without it `trainval.txt`), `val.txt` and `test.txt` of names, and `Annotations/NAME.xml`, whose boxes are of pixels
    /// counted from 1, the last included. Classes are those of the pictures to learn from, in the order of their names; what is
    /// difficult is a crowd. With masks the lists are those of `ImageSets/Segmentation`, the classes of pixels the twenty of PASCAL
    /// VOC, by their colours in `SegmentationClass/NAME.png`, and each class in a picture is one thing; what is marked as border
    /// (255) is a crowd.
    ///
    /// # Errors
    /// When there is no file of annotations, no split to learn from, or two of a kind; splits of other categories than
    /// those of the first; and as [`Scenes::coco`]. In PASCAL VOC's layout: a list, a picture, an annotation or a mask that is
    /// missing, empty or broken, a box that is none or leaves its picture, a class that is not learned, a colour of no class. The text
    /// names the file and the place in it.
    pub fn open(dir: impl AsRef<Path>, options: SceneOptions) -> Result<Self> {
        let dir = dir.as_ref();
        check(options)?;
        if voc::is_voc(dir) {
            return voc::open(dir, options);
        }
        if dir.join(ANNOTATIONS).is_file() {
            let train = Scenes::coco(dir.join(ANNOTATIONS), dir, options)?;
            let checksum = train.checksum().to_string();
            return Ok(Self { train, validation: None, test: None, others: Vec::new(), checksum });
        }
        let mut found = splits(dir)?;
        found.sort();
        let mut hash = Sha256::new();
        let (mut train, mut validation, mut test, mut others) = (None, None, None, Vec::new());
        let mut first: Option<(PathBuf, Vec<String>)> = None;
        for (name, annotations, pictures) in found {
            let scenes = Scenes::coco(&annotations, &pictures, options)?;
            let (before, classes) = first.get_or_insert_with(|| (annotations.clone(), scenes.classes().to_vec()));
            if scenes.classes() != classes.as_slice() {
                let detail = format!("expected the categories of {}, found others", before.display());
                return Err(Error::format(&annotations, "categories", detail));
            }
            hash.update((name.len() as u64).to_le_bytes());
            hash.update(&name);
            hash.update(scenes.checksum());
            let place = match name.as_str() {
                name if name.starts_with("train") => &mut train,
                name if name.starts_with("val") => &mut validation,
                name if name.starts_with("test") => &mut test,
                _ => {
                    others.push((name, scenes));
                    continue;
                }
            };
            if place.replace(scenes).is_some() {
                return Err(Error::format(&annotations, "splits", "expected one split of its kind, found two"));
            }
        }
        let Some(train) = train else {
            let detail =
                "expected a folder `train` with pictures and annotations.json, or annotations/instances_train….json";
            return Err(Error::format(dir, "splits", detail));
        };
        let (validation, test) = if test.is_none() { (None, validation) } else { (validation, test) };
        Ok(Self { train, validation, test, others, checksum: hex(&hash.finalize()) })
    }

    /// A SHA-256, in hexadecimal, of the names of the splits, or the lists of their pictures, and of their annotations or masks.
    pub fn checksum(&self) -> &str {
        &self.checksum
    }
}

/// Name, annotations and folder of pictures of each split in `dir`.
fn splits(dir: &Path) -> Result<Vec<(String, PathBuf, PathBuf)>> {
    let list = |folder: &Path| -> Result<Vec<String>> {
        let entries = std::fs::read_dir(folder).map_err(Error::io("read", folder))?;
        let names = entries.map(|entry| Ok(entry.map_err(Error::io("read", folder))?.file_name()));
        let names = names.map(|name| Ok(name?.to_string_lossy().into_owned())).collect::<Result<Vec<_>>>()?;
        Ok(names.into_iter().filter(|name| !name.starts_with('.')).collect())
    };
    let mut found = Vec::new();
    for name in list(dir)? {
        let own = dir.join(&name).join(ANNOTATIONS);
        if own.is_file() {
            found.push((name.clone(), own, dir.join(&name)));
        }
    }
    if found.is_empty() && dir.join(BESIDE).is_dir() {
        for file in list(&dir.join(BESIDE))? {
            let split = file.strip_prefix(INSTANCES).and_then(|rest| rest.strip_suffix(".json"));
            if let Some(split) = split {
                found.push((split.to_string(), dir.join(BESIDE).join(&file), dir.join(split)));
            }
        }
    }
    if found.is_empty() {
        let expected = "train/annotations.json, or annotations/instances_train….json beside folders of pictures, or JPEGImages and \
                        ImageSets of PASCAL VOC";
        return Err(Error::NoData {
            dir: dir.to_path_buf(),
            title: "annotated pictures".into(),
            expected: expected.into(),
        });
    }
    Ok(found)
}

/// Errs when the samples would have a size that they cannot.
pub(super) fn check(options: SceneOptions) -> Result<()> {
    match options.size {
        8..=1024 => Ok(()),
        found => Err(Error::Argument(format!("scenes: size: expected 8 to 1024 pixels, found {found}"))),
    }
}
