//! Annotations in COCO's format.

use super::folder::SceneOptions;
use super::{Content, Pixels, Rle, Scene, Scenes, Thing};
use crate::formats::folders::FolderOptions;
use crate::formats::picture::DecodedImage;
use crate::image::hex;
use crate::{Error, Result};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::path::{Component, Path};
use taper_backend::files;

/// By how much a box may leave the picture, in pixels: boxes are rounded to some digits.
const ROUNDING: f64 = 0.5;

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
    pub fn coco(annotations: impl AsRef<Path>, pictures: impl AsRef<Path>, options: SceneOptions) -> Result<Self> {
        let (path, pictures) = (annotations.as_ref(), pictures.as_ref());
        super::folder::check(options)?;
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
