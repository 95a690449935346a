//! Annotations in the layout of PASCAL VOC (Everingham et al., "The PASCAL Visual Object Classes (VOC) challenge", IJCV 2010;
//! development kit of 2007): `Annotations/*.xml`, `JPEGImages/*`, `SegmentationClass/*.png`, and the names of each split's
//! pictures in `ImageSets`.

use super::folder::{SceneFolder, SceneOptions};
use super::{Content, Pixels, Scene, Scenes, Thing, palette};
use crate::image::hex;
use crate::{Error, Result};
use roxmltree::{Document, Node};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use taper_backend::files;

/// The folder of annotations.
const ANNOTATIONS: &str = "Annotations";
/// The folder of the lists of each split's pictures.
const LISTS: &str = "ImageSets";
/// The folder of pictures, and what their files' names end with.
const PICTURES: &str = "JPEGImages";
const ENDINGS: [&str; 3] = ["jpg", "jpeg", "png"];
/// The folder of the classes of pixels.
const MASKS: &str = "SegmentationClass";
/// By how much a box may leave the picture, in pixels: some programs count from 0.
const ROUNDING: f64 = 1.0;

/// Whether the folder has the layout of PASCAL VOC.
pub(super) fn is_voc(dir: &Path) -> bool {
    dir.join(LISTS).is_dir() && dir.join(PICTURES).is_dir()
}

/// The splits in `dir`. With masks the pictures are those of `ImageSets/Segmentation`, otherwise those of `ImageSets/Main`. They
/// are learned from `train.txt`, or without it `trainval.txt`, and measured on `test.txt`, or without it `val.txt`.
pub(super) fn open(dir: &Path, options: SceneOptions) -> Result<SceneFolder> {
    let lists = dir.join(LISTS).join(if options.masks { "Segmentation" } else { "Main" });
    let list = |name: &str| Some(lists.join(name)).filter(|path| path.is_file());
    let Some(train) = list("train.txt").or_else(|| list("trainval.txt")) else {
        let expected = "a list of the pictures to learn from, train.txt or trainval.txt, a name in each line".into();
        return Err(Error::MissingFile { path: lists.join("train.txt"), expected });
    };
    let mut hash = Sha256::new();
    let mut read = |list: &Path| found(dir, list, options, &mut hash);
    let train = read(&train)?;
    let validation = list("val.txt").map(|list| read(&list)).transpose()?;
    let test = list("test.txt").map(|list| read(&list)).transpose()?;
    // The classes are those of the pictures to learn from.
    let classes: Vec<String> = match options.masks {
        true => palette::CLASSES.map(String::from).into(),
        false => {
            let names: BTreeSet<&String> =
                train.iter().flat_map(|(_, objects)| objects).map(|object| &object.name).collect();
            names.into_iter().cloned().collect()
        }
    };
    if classes.is_empty() {
        return Err(Error::format(
            dir,
            "objects",
            "expected an object at least in the pictures to learn from, found none",
        ));
    }
    let checksum = hex(&hash.finalize());
    let scenes = |found: Vec<(Scene, Vec<Object>)>| {
        let scenes = found.into_iter().map(|(scene, objects)| named(scene, objects, &classes, dir));
        let content =
            Content { classes: classes.clone(), scenes: scenes.collect::<Result<_>>()?, checksum: checksum.clone() };
        Ok(Scenes::new(content, options.size))
    };
    let (validation, test) = if test.is_none() { (None, validation) } else { (validation, test) };
    let (train, validation, test) =
        (scenes(train)?, validation.map(scenes).transpose()?, test.map(scenes).transpose()?);
    Ok(SceneFolder { train, validation, test, others: Vec::new(), checksum })
}

/// An object of an annotation.
struct Object {
    name: String,
    bounds: [f64; 4],
    difficult: bool,
}

/// The pictures that `list` names, with their masks, or with the objects of their annotations, whose classes have no numbers yet.
fn found(dir: &Path, list: &Path, options: SceneOptions, hash: &mut Sha256) -> Result<Vec<(Scene, Vec<Object>)>> {
    let mut add = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    let bytes = files::read(list).map_err(Error::io("read", list))?;
    add(&bytes);
    let (mut scenes, mut names) = (Vec::new(), BTreeSet::new());
    for (i, line) in utf8(&bytes, list)?.lines().enumerate() {
        let name = line.trim();
        if name.is_empty() {
            continue;
        }
        let wrong = |detail: String| Error::format(list, format!("line {}", i + 1), detail);
        if name.contains(['/', '\\', ':', '\0']) || name.starts_with('.') {
            return Err(wrong(format!(
                "expected the name of a picture without its folder and its ending, found `{name}`"
            )));
        }
        if !names.insert(name.to_string()) {
            return Err(wrong(format!("expected each picture once, found {name} twice")));
        }
        let pictures = ENDINGS.map(|ending| dir.join(PICTURES).join(format!("{name}.{ending}")));
        let Some(picture) = pictures.iter().find(|path| path.is_file()) else {
            let [path, ..] = pictures;
            let expected = format!("a picture that line {} of {} names (or .jpeg, or .png)", i + 1, list.display());
            return Err(Error::MissingFile { path, expected });
        };
        let mut scene =
            Scene { name: name.into(), size: [0, 0], pixels: Pixels::File(picture.clone()), things: Vec::new() };
        let mut objects = Vec::new();
        if options.masks {
            let path = dir.join(MASKS).join(format!("{name}.png"));
            let bytes = files::read(&path).map_err(Error::io("read", &path))?;
            add(&bytes);
            (scene.size, scene.things) = palette::things(&bytes, &path)?;
        } else {
            let path = annotation(dir, name);
            let bytes = files::read(&path).map_err(Error::io("read", &path))?;
            add(&bytes);
            (scene.size, objects) = annotated(utf8(&bytes, &path)?, &path)?;
        }
        scenes.push((scene, objects));
    }
    match scenes.is_empty() {
        true => Err(Error::format(list, "file", "expected names of pictures, one a line, found none")),
        false => Ok(scenes),
    }
}

/// The file of the annotation of the picture `name`.
fn annotation(dir: &Path, name: &str) -> PathBuf {
    dir.join(ANNOTATIONS).join(format!("{name}.xml"))
}

fn utf8<'a>(bytes: &'a [u8], path: &Path) -> Result<&'a str> {
    let wrong = |error: std::str::Utf8Error| {
        let byte = error.valid_up_to() + 1;
        Error::format(path, format!("byte {byte}"), "expected text in UTF-8, found other bytes")
    };
    std::str::from_utf8(bytes).map_err(wrong)
}

/// Height and width of the picture, and the objects, of an annotation.
fn annotated(text: &str, path: &Path) -> Result<([usize; 2], Vec<Object>)> {
    let document = Document::parse(text)
        .map_err(|error| Error::format(path, "file", format!("expected an annotation in XML: {error}")))?;
    let root = document.root_element();
    let size = size(root).map_err(|detail| Error::format(path, "size", detail))?;
    let mut objects = Vec::new();
    for (i, node) in children(root, "object").enumerate() {
        let object = object(node, size);
        objects.push(object.map_err(|detail| Error::format(path, format!("object {}", i + 1), detail))?);
    }
    Ok((size, objects))
}

/// The elements `name` in `node`.
fn children<'a, 'input: 'a>(node: Node<'a, 'input>, name: &'static str) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.has_tag_name(name))
}

/// The text of the element `name` in `node`, without spaces around it.
fn text<'a>(node: Node<'a, '_>, name: &'static str) -> Option<&'a str> {
    children(node, name).next()?.text().map(str::trim).filter(|text| !text.is_empty())
}

fn size(root: Node<'_, '_>) -> Result<[usize; 2], String> {
    let size = children(root, "size").next().ok_or("expected the picture's size, found none")?;
    let side = |name| text(size, name).and_then(|text| text.parse().ok()).filter(|side| (1..=1 << 14).contains(side));
    match (side("height"), side("width")) {
        (Some(height), Some(width)) => Ok([height, width]),
        _ => {
            let found = ["height", "width"].map(|name| text(size, name).unwrap_or("nothing"));
            Err(format!("expected a height and width from 1 to 16384, found {} and {}", found[0], found[1]))
        }
    }
}

fn object(node: Node<'_, '_>, [height, width]: [usize; 2]) -> Result<Object, String> {
    let name = text(node, "name").ok_or("name: expected that of a class, found none")?.to_string();
    let difficult = match text(node, "difficult") {
        None | Some("0") => false,
        Some("1") => true,
        Some(other) => return Err(format!("difficult: expected 0 or 1, found `{other}`")),
    };
    let given = children(node, "bndbox").next().ok_or("bndbox: expected a box, found none")?;
    let side = |name| {
        let found = text(given, name).unwrap_or("nothing");
        let number = found.parse::<f64>().ok().filter(|side| side.is_finite());
        number.ok_or_else(|| format!("bndbox: expected numbers xmin, ymin, xmax and ymax, found {found} as {name}"))
    };
    // The first and the last pixel of it, counted from 1.
    let [xmin, ymin, xmax, ymax] = [side("xmin")?, side("ymin")?, side("xmax")?, side("ymax")?];
    let bounds = [xmin - 1.0, ymin - 1.0, xmax, ymax];
    let [right, bottom] = [width, height].map(|side| side as f64);
    if xmin > xmax || ymin > ymax {
        return Err(format!(
            "bndbox: expected xmin ≤ xmax and ymin ≤ ymax, found x {xmin} to {xmax}, y {ymin} to {ymax}"
        ));
    }
    if bounds[0] < -ROUNDING || bounds[1] < -ROUNDING || xmax > right + ROUNDING || ymax > bottom + ROUNDING {
        let detail = format!("leaves the picture of {width} × {height} pixels");
        return Err(format!("bndbox: the box x {xmin} to {xmax}, y {ymin} to {ymax} {detail}"));
    }
    let bounds = [bounds[0].max(0.0), bounds[1].max(0.0), xmax.min(right), ymax.min(bottom)];
    Ok(Object { name, bounds, difficult })
}

/// `scene` with `objects` as its things: a difficult one is a crowd, which is neither learned from nor right or wrong where it is found.
fn named(mut scene: Scene, objects: Vec<Object>, classes: &[String], dir: &Path) -> Result<Scene> {
    for (i, Object { name, bounds, difficult }) in objects.into_iter().enumerate() {
        let Ok(class) = classes.binary_search(&name) else {
            let path = annotation(dir, &scene.name);
            let detail = format!("name: expected a class of the pictures to learn from, found {name}");
            return Err(Error::format(&path, format!("object {}", i + 1), detail));
        };
        let [x1, y1, x2, y2] = bounds;
        scene.things.push(Thing { class, bounds, area: (x2 - x1) * (y2 - y1), crowd: difficult, mask: None });
    }
    Ok(scene)
}
