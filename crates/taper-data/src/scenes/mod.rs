//! Pictures with things in them: each thing has a class, a box around it, and a mask of its pixels. For detection and
//! segmentation.
//!
//! [`Scenes::coco`] reads annotations in COCO's format (Lin et al., "Microsoft COCO: common objects in context", ECCV 2014;
//! cocodataset.org/#format-data), PASCAL VOC's layout is read as a folder (`SceneFolder`), [`Scenes::shapes`] draws shapes where there are no data.

#[cfg(feature = "coco")]
mod coco;
#[cfg(feature = "coco")]
mod folder;
mod mirrored;
#[cfg(feature = "coco")]
mod palette;
mod pasted;
mod rle;
mod shapes;
#[cfg(feature = "coco")]
mod voc;

#[cfg(feature = "coco")]
pub use folder::{SceneFolder, SceneOptions};
pub use mirrored::Mirrored;
pub use rle::Rle;
pub use shapes::SHAPES;

use crate::{Batch, Dataset, Error, FieldSpec, Result, split};
use pasted::{Pasting, Shown};
use std::fmt;
use std::sync::Arc;
use taper_backend::DType;

/// The label of a pixel of which nothing is known, and the class of a place in a batch where no thing is.
pub const UNKNOWN: i64 = -100;

/// A thing in a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Thing {
    /// Its class, from 0.
    pub class: usize,
    /// The box around it in pixels, `[x1, y1, x2, y2]`: x to the right and y down, from the picture's upper left corner, so
    /// that pixel (0, 0) alone is `[0, 0, 1, 1]`.
    pub bounds: [f64; 4],
    /// The area of what is visible, in pixels. In COCO it is that of the mask, not of the box.
    pub area: f64,
    /// Whether this is a crowd: many things of the class under one mask; or what PASCAL VOC calls difficult, which counts as
    /// little.
    pub crowd: bool,
    /// Its visible pixels, if they are known.
    pub mask: Option<Rle>,
}

/// What the batches of [`Scenes`] hold besides the pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SceneTargets {
    /// `labels`, i64 `[N, size, size]`: of each pixel 0 for the background, c + 1 for a thing of class c, [`UNKNOWN`] for a
    /// crowd. A pixel of several things is of the one that is listed last.
    Masks,
    /// For M things, or as many as the picture with the most has: `boxes`, f64 `[N, M, 4]`, as [`Thing::bounds`] in the pixels
    /// of the samples, `classes`, i64 `[N, M]`, [`UNKNOWN`] where there is no thing, `crowds`, i64 `[N, M]`, and `areas`,
    /// f64 `[N, M]`, which stay in the picture's own pixels; and `sizes`, f64 `[N, 2]`, the height and width of the picture
    /// itself.
    Boxes,
}

/// Pictures with things in them, as a data set of samples `[3, size, size]`.
///
/// The fields of a batch are `inputs`, u8 `[N, 3, size, size]`, of which 255 stands for 1, and those of the
/// [`SceneTargets`]. A picture of another size is stretched to it, as is what belongs to it: boxes in proportion, of masks the
/// pixel whose centre is nearest.
///
/// Memory: the things. Pictures in files are decoded when a batch asks for them.
#[derive(Clone)]
pub struct Scenes {
    content: Arc<Content>,
    /// The places in the content of the pictures that are part of this set.
    places: Vec<usize>,
    size: usize,
    targets: SceneTargets,
    pasting: Option<Pasting>,
}

struct Content {
    classes: Vec<String>,
    scenes: Vec<Scene>,
    checksum: String,
}

struct Scene {
    /// What the picture is called in errors and reports.
    name: String,
    /// Height and width of the picture.
    size: [usize; 2],
    pixels: Pixels,
    things: Vec<Thing>,
}

enum Pixels {
    /// Planes `[3, H, W]`.
    Memory(Vec<u8>),
    /// A PNG, JPEG or WebP file.
    #[cfg(feature = "coco")]
    File(std::path::PathBuf),
}

impl Scenes {
    fn new(content: Content, size: usize) -> Self {
        let places = (0..content.scenes.len()).collect();
        Self { content: Arc::new(content), places, size, targets: SceneTargets::Masks, pasting: None }
    }

    /// With other targets in its batches; at first they are masks.
    #[must_use]
    pub fn with(self, targets: SceneTargets) -> Self {
        Self { targets, ..self }
    }

    /// The number of pictures.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is no picture.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The names of the classes, without the background.
    pub fn classes(&self) -> &[String] {
        &self.content.classes
    }

    /// The height and width of the samples.
    pub fn size(&self) -> usize {
        self.size
    }

    /// The things in picture `index`, in the picture's own pixels; none past the end.
    pub fn things(&self, index: usize) -> &[Thing] {
        self.scene(index).map_or(&[], |scene| &scene.things)
    }

    /// The name of picture `index`: that of its file, without the folder; empty past the end.
    pub fn name(&self, index: usize) -> &str {
        self.scene(index).map_or("", |scene| &scene.name)
    }

    /// A SHA-256, in hexadecimal, of what identifies the data: of a file of annotations its content, in which the pictures are
    /// named, of what was drawn the pixels.
    pub fn checksum(&self) -> &str {
        &self.content.checksum
    }

    /// The set of the pictures at `indices`, in that order.
    ///
    /// # Errors
    /// When an index is past the end.
    pub fn subset(&self, indices: &[usize]) -> Result<Self> {
        let place = |&index: &usize| {
            let all = self.len();
            let past = || Error::Argument(format!("subset: index {index} is past the end: there are {all} pictures"));
            self.places.get(index).copied().ok_or_else(past)
        };
        Ok(Self { places: indices.iter().map(place).collect::<Result<_>>()?, ..self.clone() })
    }

    /// Splits into a training split and a held-out split, which has `fraction` of the pictures, drawn with `seed`.
    ///
    /// # Errors
    /// When `fraction` is not at least 0 and below 1.
    pub fn split_off(&self, fraction: f64, seed: u64) -> Result<(Self, Self)> {
        let (train, held_out) = split(&vec![0; self.len()], fraction, seed)?;
        Ok((self.subset(&train)?, self.subset(&held_out)?))
    }

    fn scene(&self, index: usize) -> Option<&Scene> {
        self.content.scenes.get(*self.places.get(index)?)
    }

    fn at(&self, index: usize) -> Result<&Scene> {
        self.scene(index).ok_or_else(|| Error::Argument(format!("scenes: there is no picture {index}")))
    }

    fn fill_masks(&self, indices: &[usize], shown: &[Option<Vec<Shown>>], batch: &mut Batch) -> Result<()> {
        let size = self.size;
        let labels = batch.i64("labels", &[indices.len(), size, size]);
        for ((labels, &index), shown) in labels.chunks_exact_mut(size * size).zip(indices).zip(shown) {
            if let Some(shown) = shown {
                labels.fill(0);
                for thing in shown {
                    let inside = labels.iter_mut().zip(&thing.mask).filter(|(_, inside)| **inside);
                    inside.for_each(|(label, _)| *label = thing.class as i64 + 1);
                }
                continue;
            }
            let scene = self.at(index)?;
            let whole = scene.labels();
            for (y, row) in labels.chunks_exact_mut(size).enumerate() {
                let from = nearest(y, size, scene.size[0]) * scene.size[1];
                for (x, label) in row.iter_mut().enumerate() {
                    *label = whole.get(from + nearest(x, size, scene.size[1])).copied().unwrap_or(UNKNOWN);
                }
            }
        }
        Ok(())
    }

    /// The things of sample `index`, with boxes in the pixels of the sample.
    fn placed(&self, index: usize, shown: Option<&[Shown]>) -> Result<Vec<Placed>> {
        let (scene, size) = (self.at(index)?, self.size as f64);
        let scale = [size / scene.size[1] as f64, size / scene.size[0] as f64];
        let own = |thing: &Thing| {
            let mut bounds = thing.bounds;
            bounds.iter_mut().enumerate().for_each(|(side, to)| *to *= scale[side % 2]);
            Placed { class: thing.class, bounds, area: thing.area, crowd: thing.crowd }
        };
        let pasted = |thing: &Shown| {
            let bounds = thing.bounds(self.size)?.map(|side| side as f64);
            let area = thing.area() as f64 / (scale[0] * scale[1]);
            Some(Placed { class: thing.class, bounds, area, crowd: false })
        };
        Ok(match shown {
            Some(shown) => shown.iter().filter_map(pasted).collect(),
            None => scene.things.iter().map(own).collect(),
        })
    }

    fn fill_boxes(&self, indices: &[usize], shown: &[Option<Vec<Shown>>], batch: &mut Batch) -> Result<()> {
        let placed = |(&index, shown): (&usize, &Option<Vec<Shown>>)| self.placed(index, shown.as_deref());
        let all: Vec<Vec<Placed>> = indices.iter().zip(shown).map(placed).collect::<Result<_>>()?;
        let n = indices.len();
        let most = all.iter().map(Vec::len).max().unwrap_or(0).max(1);
        // Of the place `i` of each sample; without a thing there is none.
        let padded = || all.iter().flat_map(|things| (0..most).map(move |i| things.get(i)));
        let boxes = batch.f64("boxes", &[n, most, 4]);
        for (to, thing) in boxes.as_chunks_mut::<4>().0.iter_mut().zip(padded()) {
            *to = thing.map_or([0.0; 4], |thing| thing.bounds);
        }
        for (to, thing) in batch.i64("classes", &[n, most]).iter_mut().zip(padded()) {
            *to = thing.map_or(UNKNOWN, |thing| thing.class as i64);
        }
        for (to, thing) in batch.i64("crowds", &[n, most]).iter_mut().zip(padded()) {
            *to = thing.map_or(0, |thing| thing.crowd.into());
        }
        for (to, thing) in batch.f64("areas", &[n, most]).iter_mut().zip(padded()) {
            *to = thing.map_or(0.0, |thing| thing.area);
        }
        for (to, &index) in batch.f64("sizes", &[n, 2]).chunks_exact_mut(2).zip(indices) {
            to.copy_from_slice(&self.at(index)?.size.map(|side| side as f64));
        }
        Ok(())
    }
}

/// A thing in a sample.
struct Placed {
    class: usize,
    /// In the pixels of the sample.
    bounds: [f64; 4],
    /// In the pixels of the picture itself.
    area: f64,
    crowd: bool,
}

/// The pixel among `of` whose centre is nearest to that of pixel `at` among `among`.
fn nearest(at: usize, among: usize, of: usize) -> usize {
    ((2 * at + 1) * of / (2 * among).max(1)).min(of.saturating_sub(1))
}

impl Scene {
    /// The label of each pixel, row by row.
    fn labels(&self) -> Vec<i64> {
        let [height, width] = self.size;
        let mut labels = vec![0; height * width];
        // What is known to be one thing is of it, whether it is listed before the crowd or after.
        for crowds in [true, false] {
            for thing in self.things.iter().filter(|thing| thing.crowd == crowds) {
                let label = if crowds { UNKNOWN } else { thing.class as i64 + 1 };
                thing.mask.iter().for_each(|mask| mask.paint(&mut labels, label));
            }
        }
        labels
    }

    /// Writes the picture as planes `[3, size, size]`.
    fn planes(&self, size: usize, planes: &mut [u8]) -> Result<()> {
        match &self.pixels {
            Pixels::Memory(pixels) => {
                let [height, width] = self.size;
                for (plane, from) in planes.chunks_exact_mut(size * size).zip(pixels.chunks_exact(height * width)) {
                    for (at, to) in plane.iter_mut().enumerate() {
                        let place = nearest(at / size, size, height) * width + nearest(at % size, size, width);
                        *to = from.get(place).copied().unwrap_or(0);
                    }
                }
                Ok(())
            }
            #[cfg(feature = "coco")]
            Pixels::File(path) => coco::decode(path, self.size, size, planes),
        }
    }
}

impl Dataset for Scenes {
    fn len(&self) -> usize {
        self.len()
    }

    fn fields(&self) -> Vec<FieldSpec> {
        let size = self.size;
        let ragged = |name: &'static str, dtype, last: &[usize]| FieldSpec {
            name: name.into(),
            dtype,
            shape: [None].into_iter().chain(last.iter().copied().map(Some)).collect(),
        };
        let inputs = FieldSpec::new("inputs", DType::U8, &[3, size, size]);
        match self.targets {
            SceneTargets::Masks => vec![inputs, FieldSpec::new("labels", DType::I64, &[size, size])],
            SceneTargets::Boxes => vec![
                inputs,
                ragged("boxes", DType::F64, &[4]),
                ragged("classes", DType::I64, &[]),
                ragged("crowds", DType::I64, &[]),
                ragged("areas", DType::F64, &[]),
                FieldSpec::new("sizes", DType::F64, &[2]),
            ],
        }
    }

    fn fill(&self, epoch: u64, indices: &[usize], batch: &mut Batch) -> Result<()> {
        let size = self.size;
        let mut shown = Vec::with_capacity(indices.len());
        let inputs = batch.u8_of("inputs", &[indices.len(), 3, size, size], u8::MAX);
        for (planes, &index) in inputs.chunks_exact_mut(3 * size * size).zip(indices) {
            self.at(index)?.planes(size, planes)?;
            shown.push(self.paste(epoch, index, planes)?);
        }
        match self.targets {
            SceneTargets::Masks => self.fill_masks(indices, &shown, batch),
            SceneTargets::Boxes => self.fill_boxes(indices, &shown, batch),
        }
    }
}

/// Writes the numbers of pictures and of classes, without names.
impl fmt::Debug for Scenes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.size;
        write!(f, "Scenes({} pictures [3, {size}, {size}], {} classes)", self.len(), self.classes().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One picture of 2 × 4 pixels: a thing of class 1 on the left, a crowd of class 0 on the right that reaches into it.
    fn scenes(size: usize) -> Scenes {
        let thing = |class, bounds: [f64; 4], crowd, mask: [u8; 8]| Thing {
            class,
            bounds,
            area: mask.iter().map(|&bit| f64::from(bit)).sum(),
            crowd,
            mask: Some(Rle::of([2, 4], &mask.map(|bit| bit == 1)).unwrap()),
        };
        let things = vec![
            thing(1, [0.0, 0.0, 2.0, 1.0], false, [1, 1, 0, 0, 0, 0, 0, 0]),
            thing(0, [1.0, 0.0, 4.0, 2.0], true, [0, 1, 1, 1, 0, 0, 0, 1]),
        ];
        let pixels = Pixels::Memory((0..24).collect());
        let scene = Scene { name: "a.png".into(), size: [2, 4], pixels, things };
        let content = Content { classes: vec!["a".into(), "b".into()], scenes: vec![scene], checksum: String::new() };
        Scenes::new(content, size)
    }

    fn filled(data: &dyn Dataset) -> Batch {
        let mut batch = Batch::default();
        batch.clear(1);
        data.fill(0, &[0], &mut batch).unwrap();
        batch
    }

    #[test]
    fn what_is_stretched_is_stretched_alike() {
        let batch = filled(&scenes(4));
        // Rows are doubled, columns are as they were; a crowd's pixels are unknown, but for those of a thing.
        let row = [2, 2, UNKNOWN, UNKNOWN];
        let below = [0, 0, 0, UNKNOWN];
        assert_eq!(batch.i64s("labels").unwrap(), [row, row, below, below].concat());
        let planes = batch.field("inputs").unwrap().data.to_f64();
        assert_eq!(planes[..16], [0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7].map(f64::from));
        let batch = filled(&scenes(4).with(SceneTargets::Boxes));
        assert_eq!(batch.field("boxes").unwrap().data.to_f64(), [0.0, 0.0, 2.0, 2.0, 1.0, 0.0, 4.0, 4.0]);
        assert_eq!(batch.i64s("classes").unwrap(), [1, 0]);
        assert_eq!(batch.i64s("crowds").unwrap(), [0, 1]);
        assert_eq!(batch.field("areas").unwrap().data.to_f64(), [2.0, 4.0]);
        assert_eq!(batch.field("sizes").unwrap().data.to_f64(), [2.0, 4.0]);
        // Half as wide: the pixels whose centres are nearest, of equal ones the later.
        assert_eq!(filled(&scenes(2)).i64s("labels").unwrap(), [2, UNKNOWN, 0, UNKNOWN]);
    }

    #[test]
    fn fields_are_as_they_are_said_to_be() {
        for targets in [SceneTargets::Masks, SceneTargets::Boxes] {
            let data = scenes(4).with(targets);
            let (said, batch) = (data.fields(), filled(&data));
            assert_eq!(said.len(), batch.fields().len());
            for (said, found) in said.iter().zip(batch.fields()) {
                assert_eq!((&said.name, said.dtype), (&found.name, found.data.dtype()));
                let fits = |(due, &found): (&Option<usize>, &usize)| due.is_none_or(|due| due == found);
                assert!(said.shape.iter().zip(&found.shape[1..]).all(fits), "{said:?} {:?}", found.shape);
            }
        }
        let text = scenes(4).subset(&[1]).unwrap_err().to_string();
        assert_eq!(text, "subset: index 1 is past the end: there are 1 pictures");
        assert_eq!(format!("{:?}", scenes(4)), "Scenes(1 pictures [3, 4, 4], 2 classes)");
    }
}
