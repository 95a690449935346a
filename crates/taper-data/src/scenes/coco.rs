//! Annotations in COCO's format, and the folders that they come in.

use super::{Content, Pixels, Rle, Scene, Scenes, Thing};
use crate::formats::folders::FolderOptions;
use crate::formats::picture::DecodedImage;
use crate::image::hex;
use crate::{Error, Result};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use taper_backend::files;

/// The file of annotations in a folder of pictures.
const ANNOTATIONS: &str = "annotations.json";
/// The folder of annotations beside folders of pictures, and what the files in it begin with.
const BESIDE: &str = "annotations";
const INSTANCES: &str = "instances_";
/// By how much a box may leave the picture, in pixels: boxes are rounded to some digits.
const ROUNDING: f64 = 0.5;

/// How annotated pictures become samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CocoOptions {
    /// The height and width of the samples, from 8 to 1024.
    pub size: usize,
    /// Whether every annotation must have a mask.
    pub masks: bool,
}

/// The splits of a folder of annotated pictures.
#[derive(Debug, Clone)]
pub struct CocoFolder {
    /// The pictures to learn from.
    pub train: Scenes,
    /// The pictures to validate on: the split called `val…` where there is one for the test too.
    pub validation: Option<Scenes>,
    /// The pictures to test on: the split called `test…`, or without one that called `val…`.
    pub test: Option<Scenes>,
    /// Other splits, by name.
    pub others: Vec<(String, Scenes)>,
    checksum: String,
}

impl CocoFolder {
    /// The splits in `dir`: folders of pictures with a file `annotations.json` each, `DIR/SPLIT/annotations.json`, or as COCO
    /// itself is published, `DIR/SPLIT/*.jpg` with `DIR/annotations/instances_SPLIT.json`. A split is known by the begin of its
    /// name: `train`, `val`, `test`, of which `train` must be there; or `dir` itself is one folder of pictures, all to learn from.
    ///
    /// # Errors
    /// When there is no file of annotations, no split to learn from, or two of a kind; splits of other categories than
    /// those of the first; and as [`Scenes::coco`].
    pub fn open(dir: impl AsRef<Path>, options: CocoOptions) -> Result<Self> {
        let dir = dir.as_ref();
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

    /// A SHA-256, in hexadecimal, of the names of the splits and of their annotations.
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
        let expected = "train/annotations.json, or annotations/instances_train….json beside folders of pictures";
        return Err(Error::NoData {
            dir: dir.to_path_buf(),
            title: "annotated pictures".into(),
            expected: expected.into(),
        });
    }
    Ok(found)
}

#[derive(Deserialize)]
struct File {
    images: Vec<Image>,
    categories: Vec<Category>,
    annotations: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Image {
    id: i64,
    file_name: String,
    width: usize,
    height: usize,
}

#[derive(Deserialize)]
struct Category {
    id: i64,
    name: String,
}

#[derive(Deserialize)]
struct Annotation {
    #[serde(default)]
    id: i64,
    image_id: i64,
    category_id: i64,
    bbox: [f64; 4],
    #[serde(default)]
    area: Option<f64>,
    #[serde(default)]
    iscrowd: u8,
    #[serde(default)]
    segmentation: Option<Segmentation>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Segmentation {
    Runs {
        size: [usize; 2],
        counts: Vec<u32>,
    },
    Packed {
        size: [usize; 2],
        counts: String,
    },
    #[allow(dead_code, reason = "what is in them is not read")]
    Polygons(Vec<Vec<f64>>),
    #[allow(dead_code, reason = "it is an error, whatever it is")]
    Other(serde_json::Value),
}

impl Scenes {
    /// Reads the annotations in the file `annotations`, JSON in COCO's format for instances, of pictures in the folder
    /// `pictures`: `images` (id, file_name, width, height), `categories` (id, name), `annotations` (image_id, category_id, bbox
    /// `[x, y, width, height]`; area, iscrowd and segmentation may be missing; without `area` the mask's counts, or the box's).
    /// Masks are run lengths, plain or packed as text. Classes are the categories in the order of their ids.
    ///
    /// Memory: twice that of the annotations. Pictures are decoded when a batch asks for them.
    ///
    /// # Errors
    /// A file that cannot be read or is no such JSON; no picture or no category; an id or a category's name twice; a picture that
    /// is not there; an annotation of no picture or of no category, whose box is not finite, negative or leaves the picture, whose
    /// mask is of another size, broken, polygons, or missing where `masks` asks for it. The text names the file and the annotation.
    pub fn coco(annotations: impl AsRef<Path>, pictures: impl AsRef<Path>, options: CocoOptions) -> Result<Self> {
        let (path, pictures) = (annotations.as_ref(), pictures.as_ref());
        if !(8..=1024).contains(&options.size) {
            let found = options.size;
            return Err(Error::Argument(format!("scenes: size: expected 8 to 1024 pixels, found {found}")));
        }
        let bytes = files::read(path).map_err(Error::io("read", path))?;
        let checksum = hex(&Sha256::digest(&bytes));
        let file: File = serde_json::from_slice(&bytes).map_err(|error| {
            let at = format!("line {}, column {}", error.line(), error.column());
            Error::format(path, at, format!("expected annotations in COCO's format: {error}"))
        })?;
        drop(bytes);
        let (classes, of_category) = classes(file.categories, path)?;
        let (mut scenes, of_image) = scenes(file.images, path, pictures)?;
        for (place, annotation) in file.annotations.into_iter().enumerate() {
            let at = match annotation.id {
                0 => format!("annotation in place {}", place + 1),
                id => format!("annotation {id}"),
            };
            let wrong = |detail: String| Error::format(path, at.clone(), detail);
            let scene = of_image.get(&annotation.image_id).and_then(|&place| scenes.get_mut(place));
            let scene = scene
                .ok_or_else(|| wrong(format!("image_id {} is the id of none of the images", annotation.image_id)))?;
            let class = of_category.get(&annotation.category_id).copied();
            let class = class.ok_or_else(|| {
                wrong(format!("category_id {} is the id of none of the categories", annotation.category_id))
            })?;
            scene.things.push(thing(annotation, class, scene.size, &scene.name, options.masks).map_err(wrong)?);
        }
        Ok(Self::new(Content { classes, scenes, checksum }, options.size))
    }
}

/// The names of the categories by id, and the class of each id.
fn classes(mut categories: Vec<Category>, path: &Path) -> Result<(Vec<String>, HashMap<i64, usize>)> {
    let wrong = |detail: String| Error::format(path, "categories", detail);
    if categories.is_empty() {
        return Err(wrong("expected a category at least, found none".into()));
    }
    categories.sort_by_key(|category| category.id);
    let (mut names, mut of_id) = (Vec::new(), HashMap::new());
    for Category { id, name } in categories {
        if of_id.insert(id, names.len()).is_some() {
            return Err(wrong(format!("expected each id once, found {id} twice")));
        }
        if names.contains(&name) {
            return Err(wrong(format!("expected each name once, found {name} twice")));
        }
        names.push(name);
    }
    Ok((names, of_id))
}

/// The pictures without things, and the place of each id.
fn scenes(images: Vec<Image>, path: &Path, pictures: &Path) -> Result<(Vec<Scene>, HashMap<i64, usize>)> {
    let (mut scenes, mut of_id) = (Vec::with_capacity(images.len()), HashMap::new());
    for Image { id, file_name, width, height } in images {
        let wrong = |detail: String| Error::format(path, format!("image {id}"), detail);
        if of_id.insert(id, scenes.len()).is_some() {
            return Err(wrong("expected each id once, found it twice".into()));
        }
        if width == 0 || height == 0 || width.checked_mul(height).is_none_or(|pixels| pixels > 1 << 28) {
            return Err(wrong(format!(
                "expected a width and height of 1 or more, at most 2^28 pixels, found {width} × {height}"
            )));
        }
        let relative = Path::new(&file_name);
        let inside = relative.components().all(|part| matches!(part, Component::Normal(_)));
        if file_name.is_empty() || !inside {
            return Err(wrong(format!(
                "file_name: expected a file in the folder of the pictures, found `{file_name}`"
            )));
        }
        let file = pictures.join(relative);
        if !file.is_file() {
            return Err(Error::MissingFile {
                path: file,
                expected: format!("a picture that {} names", path.display()),
            });
        }
        scenes.push(Scene { name: file_name, size: [height, width], pixels: Pixels::File(file), things: Vec::new() });
    }
    if scenes.is_empty() {
        return Err(Error::format(path, "images", "expected a picture at least, found none"));
    }
    Ok((scenes, of_id))
}

/// The thing of an annotation, or what is wrong with it.
fn thing(found: Annotation, class: usize, size: [usize; 2], name: &str, masks: bool) -> Result<Thing, String> {
    let [height, width] = size;
    let [x, y, w, h] = found.bbox;
    if !(found.bbox.iter().all(|side| side.is_finite()) && w >= 0.0 && h >= 0.0) {
        return Err(format!("bbox: expected [x, y, width, height] with sizes of 0 or more, found {:?}", found.bbox));
    }
    let [right, bottom] = [width, height].map(|side| side as f64);
    if x < -ROUNDING || y < -ROUNDING || x + w > right + ROUNDING || y + h > bottom + ROUNDING {
        let detail = format!("leaves the picture {name}, {width} × {height} pixels");
        return Err(format!("bbox: the box {:?} (x, y, width, height) {detail}", found.bbox));
    }
    let bounds = [x.max(0.0), y.max(0.0), (x + w).min(right), (y + h).min(bottom)];
    let of_size = |given: [usize; 2], mask: Result<Rle>| {
        if given != size {
            return Err(format!(
                "segmentation: expected the picture's size, {size:?} (height, width), found {given:?}"
            ));
        }
        mask.map_err(|error| format!("segmentation: {error}"))
    };
    let mask = match found.segmentation {
        None if masks => return Err("segmentation: expected a mask, found none".into()),
        None => None,
        Some(Segmentation::Runs { size: given, counts }) => Some(of_size(given, Rle::new(given, counts))?),
        Some(Segmentation::Packed { size: given, counts }) => Some(of_size(given, Rle::parse(given, &counts))?),
        Some(Segmentation::Polygons(_)) if !masks => None,
        Some(Segmentation::Polygons(_)) => {
            let detail = "turn them into run lengths first, by pycocotools.mask.frPyObjects and merge";
            return Err(format!("segmentation: expected run lengths, found polygons, which are not read: {detail}"));
        }
        Some(Segmentation::Other(_)) => {
            return Err("segmentation: expected run lengths, {\"size\": [height, width], \"counts\": …}".into());
        }
    };
    let area = found.area.or_else(|| mask.as_ref().map(|mask| mask.area() as f64)).unwrap_or(w * h);
    if !(area.is_finite() && area >= 0.0) {
        return Err(format!("area: expected 0 or more, found {area}"));
    }
    Ok(Thing { class, bounds, area, crowd: found.iscrowd != 0, mask })
}

/// Writes the picture in the file at `path`, which must be of the height and width `due`, as planes `[3, size, size]`.
pub(super) fn decode(path: &Path, due: [usize; 2], size: usize, planes: &mut [u8]) -> Result<()> {
    let bytes = files::read(path).map_err(Error::io("read", path))?;
    let picture = DecodedImage::decode(&bytes, path, Some([size, size]))?;
    drop(bytes);
    if picture.size() != due {
        let found = picture.size();
        let detail = format!("expected height and width {due:?}, as the annotations say, found {found:?}");
        return Err(Error::format(path, "picture", detail));
    }
    let mut whole = Vec::with_capacity(planes.len());
    picture.append([size, size], FolderOptions { channels: 3, size: Some([size, size]) }, path, &mut whole)?;
    planes.copy_from_slice(&whole);
    Ok(())
}
